//! One test binary: what babelquant promises, held against files and programs that we did not write.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod calibration;
mod callers;
mod cases;
mod checkpoints;
mod clipping;
mod cluster;
mod correlate;
mod devices;
mod drift;
mod dtypes;
mod events;
mod evidence;
mod families;
mod fuzz;
mod gguf;
mod golden;
mod hang;
mod hub;
mod hub_fixture;
mod hub_http;
mod hub_python;
mod hub_server;
mod hypotheses;
mod norms;
mod operator;
mod other_checkpoints;
mod planted;
mod process;
mod published;
mod quantization;
mod recipe;
mod reuse;
mod second_oracle;
mod tidy;
mod tokenizers;
mod tokens;
mod unsupported;
