//! Compiles the wire definition with `protox`, so that a fresh machine needs no `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=wire/coordinator.proto");
    let files = protox::compile(["wire/coordinator.proto"], ["wire"])?;
    tonic_prost_build::configure().bytes(".").compile_fds(files)?;
    Ok(())
}
