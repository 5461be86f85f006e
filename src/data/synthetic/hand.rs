//! Decides how a hand writes a skeleton: it shakes, leans, stretches and bends the lines, and presses its pen more here
//! and less there. What comes out is [`Ink`]: short straight pieces with a radius, in no particular scale.

use super::chance::Chance;
use super::skeletons::Skeleton;

/// A place on a line, with the radius of the pen there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spot {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) radius: f32,
}

/// Straight pieces, each from one spot to another.
pub(super) type Ink = Vec<[Spot; 2]>;

/// Straight pieces between two points of a skeleton.
const PIECES: usize = 6;

type Point = (f32, f32);

/// One digit as a random hand writes it.
pub(super) fn write(skeleton: &Skeleton, chance: &mut Chance) -> Ink {
    let lines = shaken(skeleton, chance);
    let bend = Bend::new(chance);
    let lean = Lean::new(chance);
    let pen = Pen::new(chance);
    let mut ink = Ink::new();
    for line in &lines {
        let path: Vec<Point> = smooth(line).into_iter().map(|point| lean.of(bend.of(point))).collect();
        pen.draw(&path, chance, &mut ink);
    }
    ink
}

/// The skeleton's lines in the unit box, every point moved a little; points that two lines share stay shared.
fn shaken(skeleton: &Skeleton, chance: &mut Chance) -> Vec<Vec<Point>> {
    let shake = 0.012 + 0.03 * chance.between(0.0, 1.0);
    let mut moved: Vec<((i16, i16), Point)> = Vec::new();
    let mut lines = Vec::with_capacity(skeleton.lines.len());
    for line in skeleton.lines {
        let mut points = Vec::with_capacity(line.len());
        for (index, &place) in line.iter().enumerate() {
            let known = moved.iter().find(|(other, _)| *other == place);
            // A ring need not close exactly where it began.
            let closes = index > 0 && index + 1 == line.len();
            let point = match known {
                Some((_, point)) if !closes => *point,
                Some(_) | None => {
                    let (x, y) = (f32::from(place.0) / 100.0, f32::from(place.1) / 100.0);
                    (x + chance.bell(shake), y + chance.bell(shake))
                }
            };
            moved.push((place, point));
            points.push(point);
        }
        lines.push(points);
    }
    lines
}

/// A Catmull-Rom curve through these points, as a path of straight pieces.
fn smooth(points: &[Point]) -> Vec<Point> {
    let at = |index: isize| points[index.clamp(0, points.len() as isize - 1) as usize];
    let mut path = Vec::with_capacity(points.len() * PIECES);
    for start in 0..points.len() as isize - 1 {
        let [a, b, c, d] = [at(start - 1), at(start), at(start + 1), at(start + 2)];
        for piece in 0..PIECES {
            let t = piece as f32 / PIECES as f32;
            let curve = |a: f32, b: f32, c: f32, d: f32| {
                b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)))
            };
            path.push((curve(a.0, b.0, c.0, d.0), curve(a.1, b.1, c.1, d.1)));
        }
    }
    path.extend(points.last());
    path
}

/// A smooth elastic distortion: a bicubic Bezier patch whose 16 control points have moved.
struct Bend {
    moves: [[Point; 4]; 4],
}

impl Bend {
    fn new(chance: &mut Chance) -> Self {
        let strength = 0.13;
        let mut moves = [[(0.0, 0.0); 4]; 4];
        moves.iter_mut().flatten().for_each(|point| *point = (chance.bell(strength), chance.bell(strength)));
        Self { moves }
    }

    fn of(&self, (x, y): Point) -> Point {
        let (across, down) = (bernstein(x), bernstein(y));
        let mut bent = (x, y);
        for (row, weight) in self.moves.iter().zip(down) {
            for (point, other) in row.iter().zip(across) {
                bent.0 += weight * other * point.0;
                bent.1 += weight * other * point.1;
            }
        }
        bent
    }
}

/// The cubic Bernstein polynomials. Beyond the unit interval they would grow fast.
fn bernstein(t: f32) -> [f32; 4] {
    let t = t.clamp(0.0, 1.0);
    let s = 1.0 - t;
    [s * s * s, 3.0 * s * s * t, 3.0 * s * t * t, t * t * t]
}

/// The linear part: width against height, slant, rotation.
struct Lean {
    x: [f32; 2],
    y: [f32; 2],
}

impl Lean {
    fn new(chance: &mut Chance) -> Self {
        let stretch = chance.bell(0.22);
        let width = 0.82 * (2.0 + stretch) / (2.0 - stretch);
        // To the right at the top: y points down.
        let slant = -0.15 - chance.bell(0.25);
        let tangent = chance.bell(0.12);
        let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
        let sine = tangent * cosine;
        Self { x: [cosine * width, cosine * slant - sine], y: [sine * width, sine * slant + cosine] }
    }

    fn of(&self, (x, y): Point) -> Point {
        (self.x[0] * x + self.x[1] * y, self.y[0] * x + self.y[1] * y)
    }
}

/// A pen that is pressed more or less.
struct Pen {
    radius: f32,
    /// How much the radius varies along a line.
    pressure: f32,
    /// How likely a line has a gap.
    gaps: f32,
}

impl Pen {
    fn new(chance: &mut Chance) -> Self {
        let thick = chance.bell(0.35);
        Self { radius: 0.07 * (2.0 + thick) / (2.0 - thick), pressure: chance.between(0.0, 0.25), gaps: 0.02 }
    }

    fn draw(&self, path: &[Point], chance: &mut Chance, ink: &mut Ink) {
        let press: [f32; 4] = std::array::from_fn(|_| 1.0 + chance.bell(self.pressure));
        let last = path.len().max(2) - 1;
        let spots: Vec<Spot> = path
            .iter()
            .enumerate()
            .map(|(index, &(x, y))| {
                let press: f32 = bernstein(index as f32 / last as f32).iter().zip(press).map(|(a, b)| a * b).sum();
                Spot { x, y, radius: self.radius * press.clamp(0.5, 1.6) }
            })
            .collect();
        let gap = if chance.happens(self.gaps) { chance.one_of(last) } else { last };
        let pieces = spots.iter().zip(&spots[1.min(spots.len())..]).enumerate().filter(|(index, _)| *index != gap);
        ink.extend(pieces.map(|(_, (start, end))| [*start, *end]));
    }
}
