//! Medians and ranges.

/// The middle of several figures, and how far they spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// Of the figures; `None` where there are none.
pub(crate) fn spread(figures: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let mut sorted: Vec<f64> = figures.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let middle = sorted.len() / 2;
    let median = match sorted.len() % 2 {
        0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    };
    Some(Spread { median, min, max })
}

/// Of what `combine` makes of the figures of each round.
pub(crate) fn paired(
    left: &[f64],
    right: &[f64],
    combine: impl Fn(f64, f64) -> f64,
) -> Option<Spread> {
    spread(
        left.iter()
            .zip(right)
            .map(|(left, right)| combine(*left, *right)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        let of = |figures: &[f64]| spread(figures.iter().copied());
        assert_eq!(of(&[]), None);
        let odd = of(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((odd.median, odd.min, odd.max), (2.0, 1.0, 3.0));
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
    }

    #[test]
    fn rounds_are_compared_one_by_one() {
        // A machine twice as slow in the second round changes no ratio.
        let ratio = paired(&[1.0, 2.0], &[4.0, 8.0], |left, right| left / right).unwrap();
        assert_eq!((ratio.min, ratio.max), (0.25, 0.25));
    }
}
