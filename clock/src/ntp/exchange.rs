//! Asking one server, several times over one socket.

use std::{io, net::SocketAddr, time::Duration};

use super::{
    Reason, Rejection, Sample,
    arrival::{Reading, arrival},
    check::{Question, recognise},
    format::Timestamp,
    limit::Limit,
    pace::Burst,
    packet::Packet,
    socket::{Datagram, Socket},
    trouble::{Trouble, Troubles},
};
use crate::{Moment, Timebase, wall::WallReading};

/// How long an answer is waited for: longer than any path round the earth takes
/// (0.5 s over a satellite), and what came later would be too wide to be of use.
const ANSWER: Duration = Duration::from_secs(1);

/// After so many questions without any answer the server is given up for this
/// round: it is down or unreachable, and the others' answers are wanted.
const SILENCE: u32 = 2;

/// What became of a burst.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) samples: Vec<Sample>,
    pub(super) troubles: Vec<Trouble>,
}

/// Asks `server` as often as `burst` says, or until the end of the `round`. Whenever
/// it is going to pause, `so_far` is told what there is.
///
/// The burst ends early at a kiss-o'-death, where the server cannot be reached,
/// and where it keeps silent from the start.
pub(super) fn ask(
    timebase: &dyn Timebase,
    server: SocketAddr,
    burst: Burst,
    round: Limit<'_>,
    so_far: &dyn Fn(&[Sample]),
) -> Answers {
    let mut samples = Vec::new();
    let mut troubles = Troubles::default();
    match Socket::to(server) {
        Err(error) => troubles.add(Some(server), Reason::Local(error.to_string())),
        Ok(socket) => {
            let mut line = Line {
                timebase,
                server,
                socket,
                questions: Vec::new(),
                troubles: &mut troubles,
                so_far,
            };
            line.ask_in_a_row(burst, round, &mut samples);
        }
    }
    let mut troubles = troubles.into_vec();
    if samples.is_empty() && troubles.is_empty() {
        troubles.push(Trouble {
            address: Some(server),
            reason: Reason::RoundOver,
            times: 1,
        });
    }
    Answers { samples, troubles }
}

/// The line to one server, open for a round.
struct Line<'a> {
    timebase: &'a dyn Timebase,
    server: SocketAddr,
    socket: Socket,
    questions: Vec<Question>,
    troubles: &'a mut Troubles,
    so_far: &'a dyn Fn(&[Sample]),
}

impl Line<'_> {
    fn ask_in_a_row(&mut self, burst: Burst, round: Limit<'_>, samples: &mut Vec<Sample>) {
        for asked in 1..=burst.questions {
            let spacing = round.at_most(burst.spacing);
            match self.ask_once(round) {
                Ok(sample) => samples.push(sample),
                Err(None) => return,
                Err(Some(reason)) => {
                    let hopeless = match &reason {
                        Reason::Rejected(Rejection::Kiss(_)) => true,
                        Reason::Rejected(_) => false,
                        Reason::NoAnswer { .. } => samples.is_empty() && asked >= SILENCE,
                        _ => true,
                    };
                    self.troubles.add(Some(self.server), reason);
                    if hopeless {
                        return;
                    }
                }
            }
            if asked < burst.questions && !spacing.is_over() {
                (self.so_far)(samples);
                spacing.pause();
            }
        }
    }

    /// One question and its answer, or why there is none; no reason if the round
    /// ended first.
    fn ask_once(&mut self, round: Limit<'_>) -> Result<Sample, Option<Reason>> {
        let patience = ANSWER.min(round.left());
        if patience.is_zero() {
            return Err(None);
        }
        let sent = self.send().map_err(unreachable)?;
        let limit = round.at_most(patience);
        loop {
            // Before the look: what came in time is seen, however long this thread
            // was held up.
            let is_over = limit.is_over();
            let received = self.socket.receive();
            let at = Moment::read(self.timebase);
            match received.map_err(unreachable)? {
                Some(datagram) => {
                    let wall = WallReading::take(self.timebase);
                    if let Some(answer) = self.recognise(&datagram) {
                        let read = Reading { at, wall };
                        let arrived = arrival(&sent, datagram.stamped, &read);
                        let sample = Sample::new(&answer, sent.at, arrived);
                        return sample.map_err(|rejection| Some(rejection.into()));
                    }
                }
                None if !is_over => self.socket.wait(limit.slice()).map_err(unreachable)?,
                None => {}
            }
            if round.is_called_off() {
                return Err(None);
            }
            if is_over {
                return Err(Some(no_answer(patience, self.server)));
            }
        }
    }

    fn send(&mut self) -> io::Result<Reading> {
        let transmit = Timestamp::from_bits(rand::random_range(1..=u64::MAX));
        let question = Packet::question(transmit).encode();
        self.questions.push(Question {
            transmit,
            answered: false,
        });
        let wall = WallReading::take(self.timebase);
        // T1, just before sending. To be a little early widens the bound and is
        // no fault.
        let at = Moment::read(self.timebase);
        self.socket.send(&question, self.server)?;
        Ok(Reading { at, wall })
    }

    /// The packet, if it answers the last question; else it is noted.
    fn recognise(&mut self, datagram: &Datagram) -> Option<Packet> {
        let (bytes, sender) = (datagram.bytes(), datagram.sender);
        match recognise(bytes, sender, self.server, &self.questions) {
            Ok(packet) => {
                self.questions.last_mut()?.answered = true;
                Some(packet)
            }
            Err(stray) => {
                self.troubles.add(Some(self.server), stray);
                None
            }
        }
    }
}

fn unreachable(error: io::Error) -> Option<Reason> {
    Some(Reason::of_socket(&error))
}

/// Told in whole milliseconds, so that one that is silent twice is so alike.
fn no_answer(waited: Duration, server: SocketAddr) -> Reason {
    let ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
    Reason::NoAnswer {
        within: Duration::from_millis(ms),
        port: server.port(),
    }
}
