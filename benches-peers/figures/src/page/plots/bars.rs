//! Horizontal bars in groups, with a mark where the goal is.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::{
    DrawingArea, IntoDrawingArea as _, IntoFont as _, PathElement, Polygon, RGBColor, Rectangle,
    SVGBackend, Text, TextStyle,
};
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::Result;
use crate::goals::short;

/// A plot.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) axis: &'static str,
    pub(super) series: &'static [&'static str],
    pub(super) groups: Vec<Group>,
    /// Where the axis ends, if not at the longest bar.
    pub(super) limit: Option<f64>,
}

/// Bars under one label.
pub(super) struct Group {
    pub(super) label: String,
    pub(super) bars: Vec<Bar>,
    pub(super) goal: Option<f64>,
}

/// One bar, and what stands at its end.
pub(super) struct Bar {
    pub(super) series: usize,
    pub(super) value: f64,
    pub(super) text: String,
}

// On a white ground, so that it reads alike on a light and on a dark page.
const GROUND: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(31, 35, 40);
const FAINT: RGBColor = RGBColor(218, 222, 227);
const GOAL: RGBColor = RGBColor(180, 35, 24);
/// Ours stands out, the peers are told apart also without colour.
const SERIES: [RGBColor; 3] = [
    RGBColor(9, 88, 175),
    RGBColor(133, 144, 157),
    RGBColor(188, 196, 205),
];

const WIDTH: i32 = 760;
const LEFT: i32 = 200;
const RIGHT: i32 = WIDTH - 70;
const TOP: i32 = 74;
const BAR: i32 = 17;
const GAP: i32 = 16;
const BOTTOM: i32 = 52;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

impl Chart {
    /// Draws it into the file.
    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let height = self.height() + BOTTOM;
        let size = (WIDTH.unsigned_abs(), height.unsigned_abs());
        let area = SVGBackend::new(file, size).into_drawing_area();
        let drawn = self.draw(&area);
        drawn.map_err(|error| format!("{}: {error}", file.display()).into())
    }

    fn height(&self) -> i32 {
        let bars = |group: &Group| i32::try_from(group.bars.len()).unwrap_or(0);
        TOP + self
            .groups
            .iter()
            .map(|group| bars(group) * BAR + GAP)
            .sum::<i32>()
    }

    fn draw(&self, area: &Area<'_>) -> Drawn {
        area.fill(&GROUND)?;
        write(area, self.title, (16, 24), 19, INK, HPos::Left)?;
        self.legend(area)?;
        let end = self.axis_end();
        let at = |value: f64| LEFT + (f64::from(RIGHT - LEFT) * value / end).round() as i32;
        self.grid(area, end, &at)?;
        let mut y = TOP + GAP / 2;
        for group in &self.groups {
            y = group.draw(area, y, &at)? + GAP;
        }
        Ok(())
    }

    fn legend(&self, area: &Area<'_>) -> Drawn {
        let mut x = 16;
        for (series, name) in self.series.iter().enumerate() {
            area.draw(&Rectangle::new(
                [(x, 44), (x + 12, 56)],
                SERIES[series].filled(),
            ))?;
            write(area, name, (x + 18, 50), 15, INK, HPos::Left)?;
            x += 34 + 8 * i32::try_from(name.len()).unwrap_or(0);
        }
        if self.groups.iter().any(|group| group.goal.is_some()) {
            mark(area, (x + 6, 54))?;
            write(area, "cloakroom's goal", (x + 16, 50), 15, INK, HPos::Left)?;
        }
        Ok(())
    }

    fn axis_end(&self) -> f64 {
        let bars = self.groups.iter().flat_map(|group| &group.bars);
        let longest = bars.map(|bar| bar.value).fold(0.0, f64::max);
        self.limit
            .unwrap_or(0.0)
            .max(longest)
            .max(f64::MIN_POSITIVE)
    }

    fn grid(&self, area: &Area<'_>, end: f64, at: &impl Fn(f64) -> i32) -> Drawn {
        let (step, floor) = (step(end), self.height());
        for number in 0.. {
            let value = f64::from(number) * step;
            // A little more than the end: sums of tenths are not exact.
            if value > end * 1.001 {
                break;
            }
            let colour = if number == 0 { INK } else { FAINT };
            area.draw(&PathElement::new(
                [(at(value), TOP), (at(value), floor)],
                colour.stroke_width(1),
            ))?;
            write(
                area,
                &short(value),
                (at(value), floor + 12),
                14,
                INK,
                HPos::Center,
            )?;
        }
        write(
            area,
            self.axis,
            (i32::midpoint(LEFT, RIGHT), floor + 34),
            15,
            INK,
            HPos::Center,
        )
    }
}

impl Group {
    /// Answers where it ends.
    fn draw(
        &self,
        area: &Area<'_>,
        top: i32,
        at: &impl Fn(f64) -> i32,
    ) -> std::result::Result<i32, Failed> {
        let mut y = top;
        for bar in &self.bars {
            let end = at(bar.value);
            area.draw(&Rectangle::new(
                [(LEFT, y), (end, y + BAR - 3)],
                SERIES[bar.series].filled(),
            ))?;
            write(
                area,
                &bar.text,
                (end + 8, y + BAR / 2 - 1),
                14,
                INK,
                HPos::Left,
            )?;
            y += BAR;
        }
        let middle = i32::midpoint(top, y) - 1;
        write(area, &self.label, (LEFT - 10, middle), 15, INK, HPos::Right)?;
        if let Some(goal) = self.goal {
            mark(area, (at(goal), top - 1))?;
        }
        Ok(y)
    }
}

type Failed = plotters::drawing::DrawingAreaErrorKind<std::io::Error>;
type Drawn = std::result::Result<(), Failed>;

/// A triangle that stands on its tip: above the bars, where it hides no figure.
fn mark(area: &Area<'_>, (x, y): (i32, i32)) -> Drawn {
    let corners = [(x - 5, y - 9), (x + 5, y - 9), (x, y)];
    area.draw(&Polygon::new(corners, GOAL.filled()))
}

fn write(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    size: i32,
    colour: RGBColor,
    side: HPos,
) -> Drawn {
    let style = TextStyle::from(("sans-serif", size).into_font())
        .color(&colour)
        .pos(Pos::new(side, VPos::Center));
    area.draw(&Text::new(text.to_owned(), at, style))
}

/// A round number, so that some five of them make the axis.
fn step(end: f64) -> f64 {
    let power = 10_f64.powf((end / 5.0).log10().floor());
    let found = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power);
    found
        .into_iter()
        .find(|step| end / step <= 6.0)
        .unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_has_round_steps() {
        for (end, expected) in [(1.0, 0.2), (5430.0, 1000.0), (722.0, 200.0), (3.0, 0.5)] {
            assert!((step(end) - expected).abs() < 1e-9, "{end}: {}", step(end));
        }
    }
}
