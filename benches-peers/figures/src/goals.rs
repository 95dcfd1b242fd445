//! What was aimed at, and whether it was met.

mod http;
mod inprocess;
mod remote;
mod stores;

use crate::groups::Group;
use crate::results::Results;
use crate::statistics::Spread;

/// One figure beside its goal.
pub(crate) struct Row {
    pub(crate) group: Group,
    pub(crate) what: String,
    /// Ours, and what it is compared with, as people read it.
    pub(crate) ours: String,
    pub(crate) beside: String,
    /// What the goal is about.
    pub(crate) figure: Spread,
    pub(crate) goal: Option<Goal>,
}

/// A limit of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Row {
    fn new(group: Group, what: impl Into<String>, figure: Spread) -> Self {
        Self {
            group,
            what: what.into(),
            ours: String::new(),
            beside: String::new(),
            figure,
            goal: None,
        }
    }

    fn of(mut self, ours: impl Into<String>, beside: impl Into<String>) -> Self {
        self.ours = ours.into();
        self.beside = beside.into();
        self
    }

    fn goal(mut self, goal: impl Into<Option<Goal>>) -> Self {
        self.goal = goal.into();
        self
    }

    /// `met`, `missed`, or nothing where nothing was aimed at. As measured: the median, without rounding.
    pub(crate) fn verdict(&self) -> &'static str {
        let figure = self.figure.median;
        match self.goal {
            None => "",
            Some(Goal::AtMost(limit)) if figure <= limit => "met",
            Some(Goal::AtLeast(limit)) if figure >= limit => "met",
            Some(_) => "missed",
        }
    }
}

impl Goal {
    /// As a person reads it.
    pub(crate) fn text(self) -> String {
        let (sign, limit) = match self {
            Self::AtMost(limit) => ("at most", limit),
            Self::AtLeast(limit) => ("at least", limit),
        };
        format!("{sign} {}", short(limit))
    }
}

/// Two digits behind the point for ratios, none for what is large.
pub(crate) fn short(figure: f64) -> String {
    if figure.abs() >= 20.0 || figure.fract() == 0.0 {
        format!("{figure:.0}")
    } else {
        format!("{figure:.2}")
    }
}

/// A figure that was taken once.
fn once(figure: f64) -> Spread {
    Spread {
        median: figure,
        min: figure,
        max: figure,
    }
}

/// All rows for which there are figures.
pub(crate) fn rows(results: &Results) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(taken) = &results.inprocess {
        rows.extend(inprocess::rows(&taken.figures));
    }
    if let Some(taken) = &results.library {
        rows.extend(http::library(&taken.figures));
    }
    if let Some(taken) = &results.server {
        rows.extend(http::server(&taken.figures));
    }
    if let Some(taken) = &results.scale {
        rows.extend(http::scale(&taken.figures));
    }
    if let Some(taken) = &results.stores {
        rows.extend(stores::rows(&taken.figures));
    }
    if let Some(taken) = &results.remote {
        rows.extend(remote::rows(&taken.figures));
    }
    if let Some(taken) = &results.device {
        rows.extend(stores::device(&taken.figures));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_at_its_limit() {
        let row = |goal| Row::new(Group::Stores, "", once(0.25)).goal(goal);
        assert_eq!(row(Goal::AtMost(0.25)).verdict(), "met");
        assert_eq!(row(Goal::AtMost(0.249)).verdict(), "missed");
        assert_eq!(row(Goal::AtLeast(0.25)).verdict(), "met");
        assert_eq!(row(Goal::AtLeast(0.251)).verdict(), "missed");
    }
}
