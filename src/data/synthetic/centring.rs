//! Decides where the box stands in the image: as in MNIST, so that the centre of mass is in the middle, moved by whole
//! pixels.

use super::drawing::Grey;

/// Side of an image, in pixels.
pub(super) const SIDE: usize = 28;

/// Writes the box into a black image, (28, 28).
pub(super) fn centre(grey: &Grey, image: &mut [u8]) {
    let byte = |value: f32| (value * 255.0 + 0.5) as u8;
    let mut mass = [0_f32; 3];
    for (row, line) in grey.iter().enumerate() {
        for (column, value) in line.iter().enumerate() {
            let value = f32::from(byte(*value));
            mass[0] += value;
            mass[1] += value * row as f32;
            mass[2] += value * column as f32;
        }
    }
    // The pixel (14, 14), counted from 0, is where MNIST has its centres of mass.
    let start = |moment: f32| ((SIDE / 2) as f32 - moment / mass[0].max(1.0) + 0.5).floor() as isize;
    let (top, left) = (start(mass[1]), start(mass[2]));
    let pixels = image.iter_mut().enumerate();
    pixels.for_each(|(place, pixel)| {
        let row = ((place / SIDE) as isize - top) as usize;
        let column = ((place % SIDE) as isize - left) as usize;
        if let Some(value) = grey.get(row).and_then(|line| line.get(column)) {
            *pixel = byte(*value);
        }
    });
}
