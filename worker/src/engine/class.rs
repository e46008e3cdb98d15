//! The engine class of this process: what decides the last bits of its numbers.

use babelquant_proto::EngineClass;
use pulp::Arch;

use super::Device;

/// Version of candle, whose kernels make the numbers; a test holds it to Cargo.lock.
pub const CANDLE: &str = "0.11.1";

/// The class of `device` on this machine, such as `cpu-x86_64-v4-candle0.11.1`.
///
/// # Panics
/// Never: the parts are letters, digits, `-`, `.` and `_`.
pub fn engine_class(device: &Device) -> EngineClass {
    let backend = match device {
        Device::Cpu => format!("cpu-{}-{}", std::env::consts::ARCH, instruction_set()),
        Device::Cuda(ordinal) => format!("cuda-{}", super::device::architecture(*ordinal)),
    };
    let class = format!("{backend}-candle{CANDLE}");
    class.parse().expect("letters, digits, '-', '.' and '_' only")
}

/// The widest instruction set that the kernels use here.
fn instruction_set() -> String {
    let name = format!("{:?}", Arch::new());
    name.chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}
