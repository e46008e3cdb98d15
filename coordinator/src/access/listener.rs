//! Where connections come from: a socket of this machine, or whatever else accepts streams of bytes. Not who may come in.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// Accepts connections.
pub trait Listener: Send {
    /// The bytes of a connection, in both directions.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The next connection, and where it comes from.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, address) = Self::accept(self).await?;
        // Small messages go out at once; a socket that cannot do so is as good.
        let _ = stream.set_nodelay(true);
        Ok((stream, address))
    }
}
