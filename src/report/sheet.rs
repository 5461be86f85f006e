//! Lays small pictures with words below them out in rows, as a drawing or as part of a page.

use super::picture::Picture;
use super::svg::{HEADING, LABEL, width};
use maud::{Markup, html};

/// Pictures with words.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    pub(super) title: String,
    /// A sentence on what is shown.
    pub(super) note: String,
    pub(super) tiles: Vec<Tile>,
    pub(super) columns: usize,
}

/// Pictures side by side, and lines below them.
#[derive(Clone, Debug)]
pub(super) struct Tile {
    pub(super) pictures: Vec<Picture>,
    pub(super) lines: Vec<String>,
}

/// Between pictures of a tile.
const GAP: usize = 3;
/// Between tiles, and at the edges.
const MARGIN: usize = 14;
/// The height of a line of words.
const LINE: usize = 17;
/// Title and note.
const HEAD: usize = 66;
/// The style of drawings' words.
const TYPE: &str = "font-family: sans-serif";

impl Tile {
    fn pictures_width(&self) -> usize {
        self.pictures.iter().map(|picture| picture.width).sum::<usize>() + GAP * self.pictures.len().saturating_sub(1)
    }

    fn width(&self) -> usize {
        let words = self.lines.iter().map(|line| width(line, LABEL) as usize).max().unwrap_or_default();
        self.pictures_width().max(words)
    }

    fn pictures_height(&self) -> usize {
        self.pictures.iter().map(|picture| picture.height).max().unwrap_or_default()
    }

    fn height(&self) -> usize {
        self.pictures_height() + LINE * self.lines.len()
    }
}

impl Sheet {
    /// The sheet as the text of an SVG file.
    pub(super) fn svg(&self) -> String {
        let widest = self.tiles.iter().map(Tile::width).max().unwrap_or_default() + MARGIN;
        let tallest = self.tiles.iter().map(Tile::height).max().unwrap_or_default() + MARGIN;
        let columns = self.columns.min(self.tiles.len()).max(1);
        let head = (width(&self.title, HEADING) as usize).max(width(&self.note, LABEL) as usize);
        let wide = (MARGIN + columns * widest).max(head + 2 * MARGIN);
        let tall = HEAD + self.tiles.len().div_ceil(columns) * tallest + MARGIN;
        let content = html! {
            svg xmlns="http://www.w3.org/2000/svg" width=(wide) height=(tall) viewBox={ "0 0 " (wide) " " (tall) } style=(TYPE) {
                rect width=(wide) height=(tall) fill="#FFFFFF" {}
                text x=(MARGIN) y="26" font-size=(HEADING) fill="#1A1A1A" { (self.title) }
                text x=(MARGIN) y="48" font-size=(LABEL) fill="#5B6370" { (self.note) }
                @for (place, tile) in self.tiles.iter().enumerate() {
                    (draw_tile(tile, (MARGIN + place % columns * widest, HEAD + place / columns * tallest)))
                }
            }
        };
        content.into_string()
    }

    /// The tiles as part of a page, in rows as wide as the page.
    pub(super) fn html(&self) -> Markup {
        html! {
            div class="sheet" {
                @for tile in &self.tiles {
                    figure {
                        div {
                            @for picture in &tile.pictures {
                                img src=(picture.address) width=(picture.width) height=(picture.height) alt=(tile.lines.join(", "));
                            }
                        }
                        figcaption { @for line in &tile.lines { span { (line) } } }
                    }
                }
            }
        }
    }
}

fn draw_tile(tile: &Tile, (left, top): (usize, usize)) -> Markup {
    let starts = tile.pictures.iter().scan(left, |next, picture| {
        let start = *next;
        *next += picture.width + GAP;
        Some(start)
    });
    let words = top + tile.pictures_height();
    html! {
        @for (picture, x) in tile.pictures.iter().zip(starts) {
            image x=(x) y=(top) width=(picture.width) height=(picture.height) href=(picture.address) {}
            rect x=(x) y=(top) width=(picture.width) height=(picture.height) fill="none" stroke="#E2E5EA" {}
        }
        @for (line, content) in tile.lines.iter().enumerate() {
            text x=(left) y=(words + LINE * (line + 1)) font-size=(LABEL) fill="#1A1A1A" { (content) }
        }
    }
}
