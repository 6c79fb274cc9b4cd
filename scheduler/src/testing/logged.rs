//! What is logged while a test runs, on its thread.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};

use tracing::Dispatch;
use tracing::subscriber::{DefaultGuard, set_default};

/// Keeps what is logged from its making on, until it is dropped.
pub struct Logged {
    text: Arc<Mutex<Vec<u8>>>,
    _guard: DefaultGuard,
}

/// Of a single subscriber tracing asks only the thread that comes first to a line, and then believes for all threads that
/// nobody wants it.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));

struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Logged {
    pub fn here() -> Self {
        LazyLock::force(&SECOND);
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let sink = Arc::clone(&text);
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || Sink(Arc::clone(&sink)))
            .with_ansi(false)
            .finish();
        Self {
            text,
            _guard: set_default(subscriber),
        }
    }

    /// # Panics
    /// If no line has these words.
    #[track_caller]
    pub fn assert_has(&self, words: &str) {
        let text = String::from_utf8(self.text.lock().unwrap().clone()).unwrap();
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
}
