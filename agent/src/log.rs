//! The agent's own log lines, on standard error beside k6's.

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::cli::LogFormat;

/// What is logged, in the syntax of tracing's `EnvFilter`.
const VARIABLE: &str = "TMINUS_LOG";
/// The HTTP clients' own lines help nobody unless asked for: whoever made a request tells of its failure.
const DEFAULT: &str = "warn,kube_client=off,agent=info,rendezvous=info";

/// Sets logging up for the process. Lines are written by a thread of their own, and lost where nobody takes
/// them off: a reader of standard error that has stopped must not keep the agent from obeying. Dropping what is
/// returned writes what is left, within a second or so.
///
/// # Errors
/// A sentence, if `TMINUS_LOG` makes no sense.
pub fn set_up(format: LogFormat) -> Result<WorkerGuard, String> {
    let filter = match std::env::var(VARIABLE) {
        Ok(directives) => directives,
        Err(std::env::VarError::NotPresent) => DEFAULT.to_owned(),
        Err(error) => return Err(format!("{VARIABLE} does not say what to log: {error}")),
    };
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("{VARIABLE} does not say what to log: {error}"))?;
    let (writer, guard) = NonBlockingBuilder::default().finish(std::io::stderr());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_target(false)
        .with_ansi(false)
        // It would say so with a panic where standard error is what cannot be written.
        .log_internal_errors(false);
    // Only a second call in one process fails, and then the first one's setting holds.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(guard)
}
