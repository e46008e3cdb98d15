//! One test binary: what babelquant promises, held against files and programs that we did not write.

mod bloom;
mod golden;
mod tidy;
