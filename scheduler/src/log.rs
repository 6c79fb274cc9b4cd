//! The log on standard error: our own lines the way people read them, with a word
//! in front where something is amiss.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::show::console::Console;

/// What is logged, in the syntax of tracing's `EnvFilter`.
pub const VARIABLE: &str = "TMINUS_LOG";

/// Ours for people; of the libraries only what may matter to them. Of kube's failed requests our own lines tell.
const DEFAULT: &str = "warn,kube_client=off,scheduler=info";

/// Sends the log to the console.
///
/// # Errors
/// A sentence, if `TMINUS_LOG` makes no sense.
pub fn set_up(console: &Console) -> Result<(), String> {
    let filter = match std::env::var(VARIABLE) {
        Ok(directives) => directives,
        Err(std::env::VarError::NotPresent) => DEFAULT.to_owned(),
        Err(error) => return Err(format!("{VARIABLE} does not say what to log: {error}")),
    };
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("{VARIABLE} does not say what to log: {error}"))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .event_format(Plain)
        .with_writer(console.clone())
        .finish();
    // Fails only where there is a log already; then that one is used.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

/// The message and its fields.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        match *metadata.level() {
            Level::INFO => {}
            Level::WARN => writer.write_str("warning: ")?,
            Level::ERROR => writer.write_str("error: ")?,
            Level::DEBUG => write!(writer, "debug: {}: ", metadata.target())?,
            Level::TRACE => write!(writer, "trace: {}: ", metadata.target())?,
        }
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
