//! Devices by their spelling: `cpu`, `cuda:0`, `cuda:all`. The one feature switch of the GPU: without `cuda` a GPU is refused by name.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// What an engine computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// All cores of this machine.
    Cpu,
    /// One GPU by its ordinal.
    Cuda(usize),
}

/// Why a device cannot be used.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// Not a spelling of a device.
    #[error("{0:?} is no device: expected cpu, cuda:N or cuda:all, or several with commas")]
    Unknown(String),
    /// The program was built without GPU support.
    #[error(
        "{0} cannot be used: this program was built without the cuda feature (cargo build --features cuda)"
    )]
    NotBuilt(Device),
    /// There is no GPU.
    #[error("cuda:all: this machine has no GPU that the driver knows of")]
    None,
    /// The driver refused.
    #[error("{device} cannot be opened")]
    Open {
        /// The device.
        device: Device,
        /// The cause.
        source: candle_core::Error,
    },
}

impl Device {
    /// Opens it.
    ///
    /// # Errors
    /// There is no such device, or the program was built without support for it.
    pub(crate) fn open(self) -> Result<candle_core::Device, DeviceError> {
        match self {
            Self::Cpu => Ok(candle_core::Device::Cpu),
            Self::Cuda(_) if !cfg!(feature = "cuda") => Err(DeviceError::NotBuilt(self)),
            Self::Cuda(ordinal) => candle_core::Device::new_cuda(ordinal)
                .map_err(|source| DeviceError::Open { device: self, source }),
        }
    }
}

/// One device, or several of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Devices {
    /// Those that are named; at least one.
    Named(Vec<Device>),
    /// Every GPU of the machine.
    AllGpus,
}

impl Devices {
    /// Which they are; at least one.
    ///
    /// # Errors
    /// Every GPU is wanted, and there is none, or the program was built without support for it.
    pub(crate) fn list(&self) -> Result<Vec<Device>, DeviceError> {
        match self {
            Self::Named(devices) => Ok(devices.clone()),
            Self::AllGpus if !cfg!(feature = "cuda") => Err(DeviceError::NotBuilt(Device::Cuda(0))),
            Self::AllGpus => match gpus() {
                0 => Err(DeviceError::None),
                count => Ok((0..count).map(Device::Cuda).collect()),
            },
        }
    }
}

impl FromStr for Devices {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        if text == "cuda:all" {
            return Ok(Self::AllGpus);
        }
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self::Named)
    }
}

impl Device {
    /// How much memory it has, in bytes, where it says so: for the CPU the machine's, or the container's limit if that is lower.
    pub(crate) fn memory_bytes(self) -> Option<u64> {
        match self {
            Self::Cpu => {
                let mut system = sysinfo::System::new();
                system.refresh_memory();
                let limit = system.cgroup_limits().map(|limits| limits.total_memory);
                let bytes =
                    limit.map_or(system.total_memory(), |limit| limit.min(system.total_memory()));
                Some(bytes).filter(|&bytes| bytes > 0)
            }
            Self::Cuda(ordinal) => device_memory(ordinal),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}

impl FromStr for Device {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        if text == "cpu" {
            return Ok(Self::Cpu);
        }
        let ordinal = text.strip_prefix("cuda:").and_then(|ordinal| ordinal.parse().ok());
        ordinal.map(Self::Cuda).ok_or_else(|| DeviceError::Unknown(text.to_owned()))
    }
}

/// How many GPUs the driver knows.
#[cfg(feature = "cuda")]
fn gpus() -> usize {
    use candle_core::cuda_backend::cudarc::driver::CudaContext;
    CudaContext::device_count().map_or(0, |count| usize::try_from(count).unwrap_or(0))
}

/// No GPU without the feature.
#[cfg(not(feature = "cuda"))]
fn gpus() -> usize {
    0
}

/// The GPU's architecture, such as `sm90`.
#[cfg(feature = "cuda")]
pub(super) fn architecture(ordinal: usize) -> String {
    use candle_core::cuda_backend::cudarc::driver::CudaContext;
    let capability = CudaContext::new(ordinal).and_then(|context| context.compute_capability());
    capability.map_or_else(|_| "unknown".to_owned(), |(major, minor)| format!("sm{major}{minor}"))
}

/// No GPU without the feature.
#[cfg(not(feature = "cuda"))]
pub(super) fn architecture(_: usize) -> String {
    "unknown".to_owned()
}

/// Memory of the GPU.
#[cfg(feature = "cuda")]
fn device_memory(ordinal: usize) -> Option<u64> {
    use candle_core::cuda_backend::cudarc::driver::CudaContext;
    let context = CudaContext::new(ordinal).ok()?;
    context.mem_get_info().ok().map(|(_, total)| total as u64)
}

/// No GPU without the feature.
#[cfg(not(feature = "cuda"))]
fn device_memory(_: usize) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        for text in ["cpu", "cuda:0", "cuda:7"] {
            assert_eq!(text.parse::<Device>().unwrap().to_string(), text);
        }
        assert!("gpu".parse::<Device>().is_err() && "cuda".parse::<Device>().is_err());
        let several = Devices::Named(vec![Device::Cuda(0), Device::Cuda(2)]);
        assert_eq!("cuda:0,cuda:2".parse::<Devices>().unwrap(), several);
        assert_eq!("cpu".parse::<Devices>().unwrap().list().unwrap(), [Device::Cpu]);
        for wrong in ["", "cpu,", "cuda:all,cpu", "cuda:0;cuda:1"] {
            assert!(wrong.parse::<Devices>().is_err(), "{wrong}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_gpu_is_refused_by_name() {
        let error = Device::Cuda(1).open().unwrap_err().to_string();
        assert!(error.contains("cuda:1") && error.contains("--features cuda"), "{error}");
    }
}
