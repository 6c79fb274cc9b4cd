//! Medians and the like.

use std::time::Duration;

/// Figures of one kind, in order.
pub struct Figures<T = Duration>(Vec<T>);

impl<T: Copy + Ord> Figures<T> {
    /// # Panics
    /// If there are none.
    pub fn new(mut figures: Vec<T>) -> Self {
        assert!(!figures.is_empty());
        figures.sort();
        Self(figures)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn median(&self) -> T {
        self.quantile(0.5)
    }

    pub fn max(&self) -> T {
        self.quantile(1.0)
    }

    /// The smallest figure that is no less than this share of all.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    pub fn quantile(&self, share: f64) -> T {
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        self.0[rank.clamp(1, self.0.len()) - 1]
    }
}

pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
