//! The agent's own log lines, on standard error beside k6's.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::cli::LogFormat;

/// Sets logging up for the process.
pub fn set_up(format: LogFormat) {
    // The HTTP client's own lines help nobody unless asked for.
    let filter =
        EnvFilter::try_from_env("TMINUS_LOG").unwrap_or_else(|_| EnvFilter::new("warn,agent=info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_span_events(FmtSpan::NONE);
    // Only a second call in one process fails, and then the first one's setting holds.
    let _ = match format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_target(false)
            .try_init(),
    };
}
