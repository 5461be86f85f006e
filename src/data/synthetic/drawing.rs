//! Decides how ink becomes grey: which scale and place fit it into the box, and how dark each pixel is by its distance
//! from the line. It does not know digits.

use super::chance::Chance;
use super::hand::{Ink, Spot};

/// Side of the box into which MNIST fits a digit, in pixels.
pub(super) const BOX: usize = 20;

/// Pixels of the box: 0.0 is paper, 1.0 is ink.
pub(super) type Grey = [[f32; BOX]; BOX];

/// The ink in the coordinates of the box, as large as fits into it, both ways by the same factor. It touches two
/// opposite sides, and stands midway between the others.
pub(super) fn fitted(ink: &Ink) -> Ink {
    let spots = || ink.iter().flatten();
    let least = |side: fn(&Spot) -> f32| spots().map(side).fold(f32::INFINITY, f32::min);
    let (left, top) = (least(|spot| spot.x - spot.radius), least(|spot| spot.y - spot.radius));
    let (width, height) = (-least(|spot| -spot.x - spot.radius) - left, -least(|spot| -spot.y - spot.radius) - top);
    let scale = BOX as f32 / width.max(height);
    let middle = BOX as f32 / 2.0;
    let place = |spot: &Spot| Spot {
        x: (spot.x - left - width / 2.0) * scale + middle,
        y: (spot.y - top - height / 2.0) * scale + middle,
        radius: spot.radius * scale,
    };
    ink.iter().map(|[start, end]| [place(start), place(end)]).collect()
}

/// Draws ink with an edge that falls from full to nothing over `softness` pixels.
pub(super) fn draw(ink: &Ink, softness: f32) -> Grey {
    let mut grey: Grey = [[0.0; BOX]; BOX];
    for [start, end] in ink {
        let reach = start.radius.max(end.radius) + softness;
        let columns = pixels(start.x.min(end.x) - reach, start.x.max(end.x) + reach);
        let (along_x, along_y) = (end.x - start.x, end.y - start.y);
        let squared = (along_x * along_x + along_y * along_y).max(1e-12);
        for row in pixels(start.y.min(end.y) - reach, start.y.max(end.y) + reach) {
            let y = row as f32 + 0.5 - start.y;
            for column in columns.clone() {
                let x = column as f32 + 0.5 - start.x;
                let along = ((x * along_x + y * along_y) / squared).clamp(0.0, 1.0);
                let (x, y) = (x - along * along_x, y - along * along_y);
                let radius = start.radius + along * (end.radius - start.radius);
                let ink = (radius - (x * x + y * y).sqrt()) / softness + 0.5;
                let pixel = &mut grey[row][column];
                *pixel = pixel.max(ink.min(1.0));
            }
        }
    }
    grey
}

/// Makes the ink a little uneven, as a scanner sees it: paler as a whole, and every pixel by its own amount.
pub(super) fn roughen(grey: &mut Grey, chance: &mut Chance) {
    let (peak, grain) = (chance.between(0.92, 1.0), chance.between(0.0, 0.1));
    let ink = grey.iter_mut().flatten().filter(|value| **value > 0.0);
    ink.for_each(|value| *value *= peak * (1.0 - grain * chance.between(0.0, 1.0)));
}

/// The pixels of the box that this stretch touches.
fn pixels(from: f32, to: f32) -> std::ops::Range<usize> {
    // Casts saturate: a negative number becomes 0.
    (from as usize).min(BOX)..(to.ceil() as usize).min(BOX)
}
