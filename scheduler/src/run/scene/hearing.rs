//! What the runners report and a witness tells, taken into the roster.

use rendezvous::{Report, ReportEvent, RunnerId, last_words};
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Happening, Scene};
use crate::decide::last_words::last_report;
use crate::decide::observed::Observed;
use crate::decide::pod;
use crate::decide::roster::News;
use crate::decide::witness::{Seen, Sighting};
use crate::run::testimony::Testimony;
use crate::show::news;

impl Scene {
    pub(super) fn heard(&mut self, event: ReportEvent) -> Happening {
        let now = Instant::now();
        match event {
            ReportEvent::Seen { report, live } => self.report(*report, live, now),
            ReportEvent::Gone(runner) => {
                let news = self.roster.removed(&runner, now);
                self.tell(&runner, news);
            }
            ReportEvent::Unreadable(error) => warn!("{error}"),
        }
        Happening::Runner
    }

    fn report(&mut self, report: Report, live: bool, now: Instant) {
        let (runner, clock) = (report.runner.clone(), report.clock.clone());
        let container = report.container.clone();
        let is_new = self.container(&runner) != container;
        let news = self.roster.report(report, live, now);
        if matches!(news, Some(News::Restarted(_))) {
            self.time.forget(&runner);
        }
        if live {
            self.time.hear(&runner, &clock, now);
        }
        self.tell(&runner, news);
        // Which container of its pod it runs in, is known for sure only now.
        if is_new
            && let Some(sighting) = self
                .pods
                .sighting(&runner, &self.stage, container.as_deref())
        {
            let news = self.roster.sighting(sighting, now);
            self.tell(&runner, news);
        }
    }

    pub(super) async fn listen(&mut self, testimony: Testimony) -> Happening {
        let mut message = None;
        let sighting = match testimony {
            Testimony::Runner(sighting) => Some(sighting),
            Testimony::Pod(pod) => self.pods.note(*pod).and_then(|runner| {
                let container = self.container(&runner);
                message = self
                    .pods
                    .termination_message(&runner, &self.stage, container.as_deref());
                self.look_at(&runner)
            }),
            Testimony::PodDeleted(pod) => {
                let runner = pod::runner(&pod);
                let container = runner.as_ref().and_then(|runner| self.container(runner));
                message = pod::termination_message(&pod, &self.stage, container.as_deref());
                self.pods.deleted(*pod, &self.stage, container.as_deref())
            }
            Testimony::Job(prospect) => {
                self.prospect = Some(prospect);
                None
            }
            Testimony::Hindrance { pod: None, what } => {
                warn!("{what}");
                self.hindrance = Some(what);
                None
            }
            Testimony::Hindrance {
                pod: Some(pod),
                what,
            } => {
                self.pods.hinder(&pod, what);
                self.look_at(&pod)
            }
        };
        if let Some(sighting) = sighting {
            self.saw(sighting, message).await;
        }
        Happening::Runner
    }

    fn look_at(&self, runner: &RunnerId) -> Option<Sighting> {
        let container = self.container(runner);
        self.pods
            .sighting(runner, &self.stage, container.as_deref())
    }

    /// The container that a runner says it runs in.
    fn container(&self, runner: &RunnerId) -> Option<String> {
        let report = self.roster.get(runner)?.report.as_ref()?;
        report.container.clone()
    }

    /// The end of a process may be seen sooner than its last report, which says why; and one that could not write that
    /// has left its last words in `message`.
    async fn saw(&mut self, sighting: Sighting, message: Option<String>) {
        let observed = self.roster.get(&sighting.runner);
        let has_said_why = observed.is_some_and(Observed::phase_is_final);
        if let Seen::Ended(code, _) = sighting.state
            && !has_said_why
        {
            let last = self.store.read_report(&self.stage, &sighting.runner).await;
            if let Ok(Ok(Some(report))) = last
                && report.run == self.run
            {
                self.report(report, false, Instant::now());
            }
            if let Some(report) = self.last_report(&sighting.runner, code, message.as_deref()) {
                self.report(report, false, Instant::now());
            }
        }
        let runner = sighting.runner.clone();
        let news = self.roster.sighting(sighting, Instant::now());
        self.tell(&runner, news);
    }

    fn last_report(&self, runner: &RunnerId, code: u8, message: Option<&str>) -> Option<Report> {
        let told = last_words::read(message?, &self.run, &self.stage)?;
        let observed = self.roster.get(runner).filter(|one| !one.is_void())?;
        last_report(observed.report.as_ref()?, told, code, self.set.as_ref())
    }

    fn tell(&self, runner: &RunnerId, news: Option<News>) {
        if let Some((news, observed)) = news.zip(self.roster.get(runner)) {
            for line in news::lines(runner, observed, news) {
                info!("{line}");
            }
        }
    }
}
