//! The agent's own log lines, on standard error beside k6's.

use tracing_subscriber::EnvFilter;

use crate::cli::LogFormat;

/// What is logged, in the syntax of tracing's `EnvFilter`.
const VARIABLE: &str = "TMINUS_LOG";
/// The HTTP client's own lines help nobody unless asked for.
const DEFAULT: &str = "warn,agent=info";

/// Sets logging up for the process.
///
/// # Errors
/// A sentence, if `TMINUS_LOG` makes no sense.
pub fn set_up(format: LogFormat) -> Result<(), String> {
    let filter = match std::env::var(VARIABLE) {
        Ok(directives) => directives,
        Err(std::env::VarError::NotPresent) => DEFAULT.to_owned(),
        Err(error) => return Err(format!("{VARIABLE}: {error}")),
    };
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("{VARIABLE}: {error}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false)
        // It would say so with a panic where standard error is what cannot be written.
        .log_internal_errors(false);
    // Only a second call in one process fails, and then the first one's setting holds.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}
