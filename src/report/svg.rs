//! What all drawings share: colours, type, how wide a text is, and how a drawing becomes a file.

use crate::error::Result;
use crate::whole_file::write_whole;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::io;
use std::path::Path;

/// Where is drawn.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What drawing returns.
pub(super) type Drawn = std::result::Result<(), DrawingAreaErrorKind<io::Error>>;

/// Text and frames. The page's style sheet knows these colours and gives them others on dark screens.
pub(super) const INK: RGBColor = RGBColor(0x1A, 0x1A, 0x1A);
/// What should not stand out.
pub(super) const MUTED: RGBColor = RGBColor(0x5B, 0x63, 0x70);
/// Grid lines.
pub(super) const GRID: RGBColor = RGBColor(0xE2, 0xE5, 0xEA);
/// The background.
pub(super) const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
/// Blue and vermilion of Okabe and Ito's palette, which colour-blind readers tell apart:
/// [Color Universal Design](https://jfly.uni-koeln.de/color/).
pub(super) const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xB2);
/// See [`BLUE`].
pub(super) const ORANGE: RGBColor = RGBColor(0xD5, 0x5E, 0x00);

/// The size of headings, in pixels as all sizes.
pub(super) const HEADING: f64 = 16.0;
/// The size of what is written beside axes.
pub(super) const LABEL: f64 = 14.0;

/// A drawing of this width and height, as the text of an SVG file.
pub(super) fn draw(size: (u32, u32), content: impl FnOnce(&Area<'_>) -> Drawn) -> String {
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
    let drawn = area.fill(&PAPER).and_then(|()| content(&area)).and_then(|()| area.present());
    drawn.expect("drawing into a string cannot fail");
    drop(area);
    text
}

/// # Errors
/// [`Error::NotWritten`](crate::Error::Io) with the path; then what was there before is still there.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    write_whole(path, |file| file.write_all(text.as_bytes()))
}

/// Type of this size and colour, whose given point is put where the text is.
pub(super) fn font<'a>(size: f64, color: &'a RGBColor, horizontal: HPos, vertical: VPos) -> TextStyle<'a> {
    // The library divides sizes by this number as it writes.
    ("sans-serif", size * 1.24).into_font().color(color).pos(Pos::new(horizontal, vertical))
}

/// A text that leans on this point.
pub(super) fn text(area: &Area<'_>, words: &str, at: (i32, i32), style: &TextStyle<'_>) -> Drawn {
    area.draw(&Text::new(words.to_owned(), at, style.clone()))
}

/// Draws what a key explains, around this point.
pub(super) type Sample<'s> = &'s dyn Fn(&Area<'_>, (i32, i32)) -> Drawn;

/// Samples with their words, side by side from this point on.
pub(super) fn key(area: &Area<'_>, (left, middle): (i32, i32), entries: &[(Sample<'_>, &str)]) -> Drawn {
    let words = font(LABEL, &INK, HPos::Left, VPos::Center);
    let mut left = left;
    for (sample, name) in entries {
        sample(area, (left + SAMPLE / 2, middle))?;
        text(area, name, (left + SAMPLE + 7, middle), &words)?;
        left += SAMPLE + 7 + width(name, LABEL) + 18;
    }
    Ok(())
}

/// How wide a key's sample is.
const SAMPLE: i32 = 26;

/// A sample of a line, whole or dashed.
pub(super) fn sample_line(area: &Area<'_>, (x, y): (i32, i32), color: &RGBColor, dashes: &[(i32, i32)]) -> Drawn {
    let part = |(from, to): &(i32, i32)| PathElement::new([(x + from, y), (x + to, y)], color.stroke_width(2));
    dashes.iter().try_for_each(|dash| area.draw(&part(dash)))
}

/// A sample of an area's colour.
pub(super) fn sample_square(area: &Area<'_>, (x, y): (i32, i32), color: RGBAColor) -> Drawn {
    area.draw(&Rectangle::new([(x - 7, y - 7), (x + 7, y + 7)], color.filled()))
}

/// The dashes of a sample line.
pub(super) const WHOLE: [(i32, i32); 1] = [(-13, 13)];
/// See [`WHOLE`].
pub(super) const DASHED: [(i32, i32); 3] = [(-13, -7), (-3, 3), (7, 13)];

/// How wide a text is at most, in any common sans-serif type.
pub(super) fn width(words: &str, size: f64) -> i32 {
    let part = |letter: char| match letter {
        'i' | 'j' | 'l' | '.' | ',' | ' ' | ':' | '|' => 0.36,
        'W' | 'M' | 'm' | 'w' | '@' | '%' => 1.0,
        letter if letter.is_ascii_uppercase() => 0.78,
        letter if letter.is_ascii() => 0.65,
        _ => 1.05,
    };
    (words.chars().map(part).sum::<f64>() * size).ceil() as i32
}

/// A name that is printable and has at most `most` characters.
pub(super) fn short(name: &str, most: usize) -> String {
    let mut letters = name.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut kept: String = letters.by_ref().take(most).collect();
    if letters.next().is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}
