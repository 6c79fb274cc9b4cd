//! The stand-in for k6: `support::fake_k6` says how it behaves.

use std::process::ExitCode;

fn main() -> ExitCode {
    support::fake_k6::main()
}
