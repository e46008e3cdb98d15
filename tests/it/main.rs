//! One test binary: what babelquant promises, held against files and programs that we did not write.

mod bloom;
mod cluster;
mod golden;
mod process;
mod tidy;
