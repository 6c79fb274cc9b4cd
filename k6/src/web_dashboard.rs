//! Whether k6's web dashboard is asked for.

use std::os::unix::ffi::OsStrExt;

use crate::config::ConfigFile;
use crate::contradiction::Source;
use crate::said::Said;

impl Said<'_> {
    /// Where the web dashboard is asked for: as an output, or by the variable or key of its own.
    pub(crate) fn web_dashboard(&self, config: Option<&ConfigFile>) -> Option<Source> {
        // A value that k6 refuses makes no dashboard; k6 says so itself.
        let wish = match self.variable_truth("K6_WEB_DASHBOARD", &mut Vec::new()) {
            Some((wanted, source)) => wanted.then_some(source),
            None => config.and_then(ConfigFile::web_dashboard),
        };
        wish.or_else(|| self.dashboard_output(config))
    }

    /// The outputs of one place replace those of the places below it; none, or an empty one,
    /// replaces nothing.
    fn dashboard_output(&self, config: Option<&ConfigFile>) -> Option<Source> {
        let mut by_flag = self.command_line.uses("out");
        by_flag.retain(|(out, _)| out.is_some_and(|out| !out.is_empty()));
        if !by_flag.is_empty() {
            return by_flag
                .into_iter()
                .find(|(out, _)| out.is_some_and(|out| is_dashboard(out.as_bytes())))
                .map(|(_, source)| source);
        }
        match self.variable("K6_OUT") {
            Some((outs, source)) if !outs.as_bytes().trim_ascii().is_empty() => {
                let mut outs = outs.as_bytes().split(|byte| *byte == b',');
                outs.any(is_dashboard).then_some(source)
            }
            _ => config.and_then(|config| config.out(|out| is_dashboard(out.as_bytes()))),
        }
    }
}

/// Whether an output, `kind` or `kind=argument`, serves the web dashboard.
fn is_dashboard(out: &[u8]) -> bool {
    out.split(|byte| *byte == b'=').next() == Some(b"web-dashboard")
}
