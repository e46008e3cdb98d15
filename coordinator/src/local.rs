//! Local mode: the coordinator on loopback and a worker in this process, the same way as on a cluster. Feature `local`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use babelquant_proto::Shape;
use babelquant_proto::credentials::{Credentials, Dial};
use babelquant_proto::quant::Uniform;
use babelquant_proto::rows::{ClippingRow, WeightRow, made_by};
use babelquant_worker as worker;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::owner::Outcome;
use crate::serve::{ServeError, Service, serve};

/// How long the in-process worker tries to reach a coordinator that is in the same process.
const GIVE_UP: Duration = Duration::from_secs(30);

/// The in-process worker.
#[derive(Debug, Clone)]
pub struct LocalWorker {
    /// Model directories, and other checkpoints of them.
    pub models: Vec<PathBuf>,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Refuse units that need more memory than this, in bytes.
    pub memory_bytes: Option<u64>,
    /// Folder for what calibration computes.
    pub cache: PathBuf,
    /// Size of that folder at most, in bytes; 0 keeps nothing.
    pub cache_bytes: u64,
    /// Units held at a time.
    pub slots: usize,
}

/// What `config.json` says of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelShape {
    /// Parameters, tied ones once.
    pub parameters: u64,
    /// Layers, widths and limits.
    pub shape: Shape,
}

/// Why a local run broke off.
#[derive(Debug, Error)]
pub enum LocalError {
    /// There is no free port, or no loopback.
    #[error("cannot listen on 127.0.0.1")]
    Listen(#[from] std::io::Error),
    /// The device is no device.
    #[error(transparent)]
    Device(#[from] worker::DeviceError),
    /// The service broke off.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The worker broke off.
    #[error("the worker in this process stopped")]
    Worker(#[source] worker::Error),
    /// The files of a model cannot be used.
    #[error("the model in {path} cannot be loaded")]
    Model {
        /// The model's directory.
        path: PathBuf,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The files of another checkpoint of a model cannot be used.
    #[error("the checkpoint {path} cannot lend its weights")]
    Checkpoint {
        /// The checkpoint's directory or GGUF file.
        path: PathBuf,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The weights cannot be read.
    #[error("the weights of {path} cannot be read")]
    Weights {
        /// The model's directory.
        path: PathBuf,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// `config.json` describes no model.
    #[error("the shape of {path} cannot be read")]
    Shape {
        /// The model's directory.
        path: PathBuf,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl LocalError {
    /// The exit code that tells a launcher what to do.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Listen(_) => babelquant_proto::exit::UNFINISHED,
            Self::Device(_)
            | Self::Model { .. }
            | Self::Checkpoint { .. }
            | Self::Weights { .. }
            | Self::Shape { .. } => babelquant_proto::exit::USAGE,
            Self::Serve(error) => error.exit_code(),
            Self::Worker(error) => error.exit_code(),
        }
    }
}

/// Runs the study of `service` with one worker in this process, until it is complete or `shutdown`: then the worker gives back
/// what it holds before the coordinator leaves.
///
/// # Errors
/// Service or worker broke off.
pub async fn run(
    service: Service,
    local: LocalWorker,
    shutdown: impl Future<Output = ()>,
) -> Result<Outcome, LocalError> {
    let device = local.device.parse()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let options = worker::Options {
        coordinator: worker::Address::Url(format!("http://{}", listener.local_addr()?)),
        places: worker::Places { directories: local.models, hub: None },
        device,
        memory_bytes: local.memory_bytes,
        cache: Some(worker::Cache::new(local.cache, local.cache_bytes))
            .filter(|_| local.cache_bytes > 0),
        slots: local.slots,
        name: "local".to_owned(),
        jitter: 0,
        unit_timeout: Duration::MAX,
        dial: Dial::tcp(),
        credentials: Credentials::default(),
        give_up: GIVE_UP,
    };
    let (stop_worker, worker_stops) = oneshot::channel::<()>();
    let (stop_service, service_stops) = oneshot::channel::<()>();
    // Opening may take long: a journal is read, an earlier run taken over. The worker's patience is for what happens afterwards.
    let mut overview = service.watch();
    let worker = async {
        drop(overview.wait_for(|overview| overview.epoch > 0).await);
        worker::run(options, worker::Termination::at_once(async { drop(worker_stops.await) })).await
    };
    let serving = serve(listener, service, async { drop(service_stops.await) });
    let (mut worker, mut serving) = (std::pin::pin!(worker), std::pin::pin!(serving));
    let worked = tokio::select! {
        outcome = &mut serving => {
            drop(stop_worker);
            return Ok(outcome?);
        }
        worked = &mut worker => worked,
        () = shutdown => {
            drop(stop_worker);
            tokio::select! {
                worked = &mut worker => worked,
                outcome = &mut serving => return Ok(outcome?),
            }
        }
    };
    match worked {
        Ok(worker::Outcome::Complete | worker::Outcome::CompleteWithQuarantine) => {
            Ok(serving.await?)
        }
        Ok(worker::Outcome::Drained) | Err(worker::Error::Stopped) => {
            drop(stop_service);
            Ok(serving.await?)
        }
        Err(error) => {
            drop(stop_service);
            serving.await?;
            Err(LocalError::Worker(error))
        }
    }
}

/// The weight statistics of the model in `directory`, called `name`.
///
/// # Errors
/// The directory holds no model that can be read.
pub fn weight_rows(directory: &Path, name: &str) -> Result<Vec<WeightRow>, LocalError> {
    let rows = worker::weight_rows(directory, name).map_err(|source| LocalError::Weights {
        path: directory.to_owned(),
        source: Box::new(source),
    })?;
    let engine = worker::engine_class(&worker::Device::Cpu);
    Ok(made_by(&engine, rows))
}

/// What each of `configs` does to the MLP matrices of the model in `directory`, called `name`.
///
/// # Errors
/// The directory holds no model that can be read.
pub fn clipping_rows(
    directory: &Path,
    name: &str,
    configs: &[Uniform],
) -> Result<Vec<ClippingRow>, LocalError> {
    worker::clipping_rows(directory, name, configs).map_err(|source| LocalError::Weights {
        path: directory.to_owned(),
        source: Box::new(source),
    })
}

/// Refuses a model whose files no worker could load: before any work starts.
///
/// # Errors
/// Its configuration, a tensor or the tokenizer is missing, damaged or not supported.
pub fn check(directory: &Path) -> Result<(), LocalError> {
    worker::check(directory).map_err(|source| LocalError::Model {
        path: directory.to_owned(),
        source: Box::new(source),
    })
}

/// Refuses another checkpoint, at `path`, that is not one of the model in `directory`: before any work starts. What of it is not
/// the model's, although it lends no more than its matrices, is returned in words.
///
/// # Errors
/// It cannot be read, or is none of the model.
pub fn check_checkpoint(directory: &Path, path: &Path) -> Result<Option<String>, LocalError> {
    let checked = worker::check_checkpoint(directory, path);
    let checked = checked.map_err(|source| LocalError::Checkpoint {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    Ok(checked.map(|remainder| remainder.to_string()))
}

/// What the `config.json` in `directory` says of the model; its weights are not read.
///
/// # Errors
/// It describes no model.
pub fn shape(directory: &Path) -> Result<ModelShape, LocalError> {
    let error = |source| LocalError::Shape { path: directory.to_owned(), source };
    let shape = Shape::read(directory).map_err(|source| error(source.into()))?;
    let parameters = worker::parameters(directory).map_err(|source| error(source.into()))?;
    Ok(ModelShape { parameters, shape })
}
