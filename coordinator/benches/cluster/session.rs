//! A worker that computes nothing: its connection, its session and what it holds.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use babelquant_proto::credentials::{Bearer, Caller, Credentials, Link};
use babelquant_proto::message::{Hello, SyncReply, SyncRequest, VerdictKind, Welcome};
use babelquant_proto::wire::coordinator_client::CoordinatorClient;
use babelquant_proto::{MESSAGE_BYTES_MAX, Spec, UnitIndex, WIRE_MAJOR, wire};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

use super::made_up;

/// The way to a coordinator.
pub(super) type Client = CoordinatorClient<InterceptedService<Channel, Bearer>>;

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    client: Client,
    name: String,
    /// The study.
    pub(super) spec: Spec,
    /// What the next Sync says.
    pub(super) request: SyncRequest,
}

/// A client of the coordinator at `url`; connects at the first call.
pub(super) fn client(url: &str, tls: Option<&Path>) -> Result<Client> {
    let endpoint = Endpoint::from_shared(url.to_owned())?
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(60))
        .tcp_nodelay(true);
    let link = Link::new(endpoint, Credentials::read(tls, None, &[Caller::Worker])?)?;
    Ok(CoordinatorClient::new(link.channel())
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX))
}

async fn register(client: &mut Client, name: &str) -> Result<Welcome> {
    let hello = Hello {
        wire_major: WIRE_MAJOR,
        name: name.to_owned(),
        engine_class: made_up::ENGINE.parse()?,
        memory_bytes: None,
    };
    let welcome = client.register(wire::Hello::from(hello)).await?.into_inner();
    Ok(welcome.try_into()?)
}

impl Session {
    /// Opens a session.
    pub(super) async fn join(mut client: Client, name: &str) -> Result<Self> {
        let Welcome { session, spec, .. } = register(&mut client, name).await?;
        let request = SyncRequest::new(session, 0);
        Ok(Self { client, name: name.to_owned(), spec, request })
    }

    /// Opens another session with a coordinator that does not know this one.
    pub(super) async fn rejoin(&mut self) -> Result<()> {
        self.request.session = register(&mut self.client, &self.name).await?.session;
        Ok(())
    }

    /// Tells everything and takes what it is given; what is settled is neither held nor sent again.
    pub(super) async fn sync(&mut self) -> Result<SyncReply> {
        let reply = self.client.sync(wire::SyncRequest::from(self.request.clone())).await?;
        let reply = SyncReply::try_from(reply.into_inner())?;
        let settled: Vec<UnitIndex> = reply.verdicts.iter().map(|verdict| verdict.unit).collect();
        self.request.results.retain(|result| !settled.contains(&result.unit));
        self.request
            .holding
            .retain(|unit| !settled.contains(unit) && !reply.revoked.contains(unit));
        self.request.holding.extend(reply.grants.iter().map(|grant| grant.unit));
        self.request.released.clear();
        for text in reply.grants.iter().filter_map(|grant| grant.text.as_ref()) {
            self.request.shards.push(text.id);
        }
        Ok(reply)
    }
}

/// How many results of a reply are durable.
pub(super) fn durable(reply: &SyncReply) -> usize {
    reply.verdicts.iter().filter(|verdict| verdict.kind == VerdictKind::Durable).count()
}
