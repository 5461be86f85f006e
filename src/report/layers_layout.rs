//! Where the nodes of a graph lie on a drawing, from top to bottom: which row each is in, in which order a row's nodes
//! are, and how far to the right. It draws nothing and knows nothing of layers.
//!
//! The steps are those of [Sugiyama, Tagawa and Toda](https://doi.org/10.1109/TSMC.1981.4308636): a node lies one row
//! below the lowest that it reads; an edge over several rows gets a bend in each; rows are ordered by the mean place of
//! the neighbours; and each node goes as near to its neighbours as the others of its row let it.

use std::collections::BTreeMap;

/// The room between nodes of a row, and between rows.
const GAP: (f64, f64) = (26.0, 34.0);
/// How wide a bend is.
const BEND: f64 = 12.0;
/// How often all rows are gone through to find an order, and places.
const SWEEPS: usize = 24;

/// Nodes by size, and edges by nodes. An edge goes from a node to one of a larger index.
pub(super) struct Graph {
    /// (width, height) of each node.
    pub(super) sizes: Vec<(f64, f64)>,
    pub(super) edges: Vec<(usize, usize)>,
}

/// A graph whose nodes have places.
#[derive(Debug)]
pub(super) struct Layout {
    /// The middle of each node.
    pub(super) nodes: Vec<(f64, f64)>,
    /// The places that each edge goes through, from the lower end of a node to the upper end of another; every second
    /// section, from the second on, is a straight one beside the nodes of a row.
    pub(super) edges: Vec<Vec<(f64, f64)>>,
    pub(super) size: (f64, f64),
}

/// A node, or a bend of an edge.
struct Place {
    row: usize,
    width: f64,
    x: f64,
}

/// What the steps work on: nodes first, then bends.
struct Rows {
    places: Vec<Place>,
    /// The places of each row, from left to right.
    rows: Vec<Vec<usize>>,
    /// For each place, those that it is connected to in the row above and the row below, and how strongly.
    above: Vec<Vec<(usize, f64)>>,
    below: Vec<Vec<(usize, f64)>>,
}

/// From which side a row is looked at.
#[derive(Clone, Copy)]
enum Side {
    Above,
    Below,
}

impl Graph {
    pub(super) fn layout(&self) -> Layout {
        let rows = self.rows();
        let count = rows.iter().copied().max().map_or(0, |last| last + 1);
        let mut all = Rows::new(&rows, count, &self.sizes);
        let chains: Vec<Vec<usize>> = self.edges.iter().map(|&edge| all.connect(edge)).collect();
        all.order();
        all.spread();
        self.drawn(all, &rows, &chains)
    }

    /// The row of each node.
    fn rows(&self) -> Vec<usize> {
        let mut rows = vec![0; self.sizes.len()];
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
        let mut is_start = vec![true; rows.len()];
        let by_target: BTreeMap<(usize, usize), ()> = self.edges.iter().map(|&(from, to)| ((to, from), ())).collect();
        for &(to, from) in by_target.keys() {
            rows[to] = rows[to].max(rows[from] + 1);
            readers[from].push(to);
            is_start[to] = false;
        }
        // An input that is read far below lies just above its first reader.
        for node in (0..rows.len()).filter(|node| is_start[*node]) {
            let first = readers[node].iter().map(|reader| rows[*reader]).min();
            rows[node] = first.map_or(0, |first| first - 1);
        }
        rows
    }

    /// Moves everything to the right of 0, and says where each row is from top to bottom.
    fn drawn(&self, all: Rows, rows: &[usize], chains: &[Vec<usize>]) -> Layout {
        let left = |place: &Place| place.x - place.width / 2.0;
        let start = all.places.iter().map(left).fold(f64::INFINITY, f64::min);
        let end = all.places.iter().map(|place| left(place) + place.width).fold(f64::NEG_INFINITY, f64::max);
        let mut heights = vec![0.0_f64; all.rows.len()];
        rows.iter().zip(&self.sizes).for_each(|(row, (_, height))| heights[*row] = heights[*row].max(*height));
        let mut tops = Vec::new();
        let mut y = 0.0;
        for height in &heights {
            tops.push(y);
            y += height + GAP.1;
        }
        let x = |place: usize| all.places[place].x - start;
        let middle = |row: usize| tops[row] + heights[row] / 2.0;
        let edge = |(chain, &(from, to)): (&Vec<usize>, &(usize, usize))| {
            let mut points = vec![(x(from), middle(rows[from]) + self.sizes[from].1 / 2.0)];
            for bend in chain {
                let row = all.places[*bend].row;
                points.extend([(x(*bend), tops[row]), (x(*bend), tops[row] + heights[row])]);
            }
            points.push((x(to), middle(rows[to]) - self.sizes[to].1 / 2.0));
            points
        };
        Layout {
            nodes: rows.iter().enumerate().map(|(node, row)| (x(node), middle(*row))).collect(),
            edges: chains.iter().zip(&self.edges).map(edge).collect(),
            size: (end - start, y - GAP.1),
        }
    }
}

impl Rows {
    fn new(of_nodes: &[usize], count: usize, sizes: &[(f64, f64)]) -> Self {
        let place = |(row, (width, _)): (&usize, &(f64, f64))| Place { row: *row, width: *width, x: 0.0 };
        let mut rows = vec![Vec::new(); count];
        of_nodes.iter().enumerate().for_each(|(node, row)| rows[*row].push(node));
        let none = vec![Vec::new(); of_nodes.len()];
        Self { places: of_nodes.iter().zip(sizes).map(place).collect(), rows, above: none.clone(), below: none }
    }

    /// Adds an edge, with a bend in each row between its nodes, which it returns.
    fn connect(&mut self, (from, to): (usize, usize)) -> Vec<usize> {
        let mut bends = Vec::new();
        let mut before = from;
        for row in self.places[from].row + 1..self.places[to].row {
            let bend = self.places.len();
            self.places.push(Place { row, width: BEND, x: 0.0 });
            self.rows[row].push(bend);
            self.above.push(Vec::new());
            self.below.push(Vec::new());
            self.tie(before, bend, if before == from { 0.5 } else { 8.0 });
            bends.push(bend);
            before = bend;
        }
        self.tie(before, to, if before == from { 4.0 } else { 0.5 });
        bends
    }

    /// A long edge is straight before all else, then what is read from row to row.
    fn tie(&mut self, upper: usize, lower: usize, strength: f64) {
        self.below[upper].push((lower, strength));
        self.above[lower].push((upper, strength));
    }

    fn neighbours(&self, place: usize, side: Side) -> &[(usize, f64)] {
        match side {
            Side::Above => &self.above[place],
            Side::Below => &self.below[place],
        }
    }

    /// Orders each row by the mean index of the neighbours, and keeps the order with the fewest crossings.
    fn order(&mut self) {
        let (mut best, mut fewest) = (self.rows.clone(), self.crossings());
        for sweep in 0..SWEEPS {
            if fewest == 0 {
                break;
            }
            let side = if sweep % 2 == 0 { Side::Above } else { Side::Below };
            let indices: Vec<usize> = match side {
                Side::Above => (0..self.rows.len()).collect(),
                Side::Below => (0..self.rows.len()).rev().collect(),
            };
            for row in indices {
                let index = self.index_in_rows();
                let mean = |place: usize| {
                    let neighbours = self.neighbours(place, side);
                    let sum: usize = neighbours.iter().map(|(other, _)| index[*other]).sum();
                    if neighbours.is_empty() { index[place] as f64 } else { sum as f64 / neighbours.len() as f64 }
                };
                let mut keyed: Vec<(f64, usize)> = self.rows[row].iter().map(|place| (mean(*place), *place)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.rows[row] = keyed.into_iter().map(|(_, place)| place).collect();
            }
            let crossings = self.crossings();
            if crossings < fewest {
                (best, fewest) = (self.rows.clone(), crossings);
            }
        }
        self.rows = best;
    }

    fn index_in_rows(&self) -> Vec<usize> {
        let mut index = vec![0; self.places.len()];
        self.rows.iter().for_each(|row| row.iter().enumerate().for_each(|(at, place)| index[*place] = at));
        index
    }

    /// How many pairs of edges cross between one row and the next.
    fn crossings(&self) -> usize {
        let index = self.index_in_rows();
        let mut crossings = 0;
        for row in &self.rows {
            let edges =
                row.iter().flat_map(|place| self.below[*place].iter().map(|(lower, _)| (index[*place], index[*lower])));
            let edges: Vec<(usize, usize)> = edges.collect();
            for (at, a) in edges.iter().enumerate() {
                crossings +=
                    edges[at + 1..].iter().filter(|b| a.0 < b.0 && a.1 > b.1 || a.0 > b.0 && a.1 < b.1).count();
            }
        }
        crossings
    }

    /// Gives each place its x: as near to the mean of its neighbours as the others of its row let it.
    fn spread(&mut self) {
        for row in self.rows.clone() {
            self.place_row(&row, |rows, place| (rows.places[place].x, 1.0));
        }
        for sweep in 0..SWEEPS {
            let sides: &[Side] = match sweep {
                _ if sweep + 2 >= SWEEPS => &[Side::Above, Side::Below],
                _ if sweep % 2 == 0 => &[Side::Above],
                _ => &[Side::Below],
            };
            let mut rows = self.rows.clone();
            if sweep % 2 == 1 {
                rows.reverse();
            }
            for row in rows {
                self.place_row(&row, |rows, place| rows.wish(place, sides));
            }
        }
    }

    /// Where a place would like to be, and how much.
    fn wish(&self, place: usize, sides: &[Side]) -> (f64, f64) {
        let neighbours = sides.iter().flat_map(|side| self.neighbours(place, *side));
        let (sum, weight) = neighbours.fold((0.0, 0.0), |(sum, weight), (other, strength)| {
            (sum + strength * self.places[*other].x, weight + strength)
        });
        if weight == 0.0 { (self.places[place].x, 0.1) } else { (sum / weight, weight) }
    }

    /// Places a row so that the squares of the distances from the wishes, times their weights, have the least sum, and
    /// nothing overlaps: an isotonic regression, by joining neighbours that are in each other's way.
    fn place_row(&mut self, row: &[usize], wish: impl Fn(&Self, usize) -> (f64, f64)) {
        /// Places that touch: their common shift, its weight, and how many they are.
        struct Block {
            shift: f64,
            weight: f64,
            count: usize,
        }
        let mut offsets = Vec::with_capacity(row.len());
        let mut blocks: Vec<Block> = Vec::new();
        let mut offset = 0.0;
        for (at, place) in row.iter().enumerate() {
            if at > 0 {
                offset += (self.places[row[at - 1]].width + self.places[*place].width) / 2.0 + GAP.0;
            }
            offsets.push(offset);
            let (x, weight) = wish(self, *place);
            let mut block = Block { shift: x - offset, weight, count: 1 };
            while let Some(before) = blocks.pop_if(|before| before.shift > block.shift) {
                let weight = before.weight + block.weight;
                let shift = (before.shift * before.weight + block.shift * block.weight) / weight;
                block = Block { shift, weight, count: before.count + block.count };
            }
            blocks.push(block);
        }
        let shifts = blocks.iter().flat_map(|block| std::iter::repeat_n(block.shift, block.count));
        let placed: Vec<f64> = shifts.zip(&offsets).map(|(shift, offset)| shift + offset).collect();
        row.iter().zip(placed).for_each(|(place, x)| self.places[*place].x = x);
    }
}

#[cfg(test)]
mod tests {
    use super::{Graph, Layout};
    use crate::random::{Stream, stream};
    use rand::RngExt;

    /// A graph in which each node reads up to three of those shortly before it, and now and then one far above.
    fn random(seed: u64) -> Graph {
        let mut random = stream(seed, Stream::Weights { layer: 0, place: 0 });
        let count: usize = random.random_range(1..40);
        let sizes = (0..count).map(|_| (random.random_range(20.0..200.0), random.random_range(20.0..60.0))).collect();
        let mut edges = Vec::new();
        for to in 1..count {
            for _ in 0..random.random_range(0..4) {
                let nearest = if random.random_range(0..8) == 0 { 0 } else { to.saturating_sub(4) };
                edges.push((random.random_range(nearest..to), to));
            }
        }
        Graph { sizes, edges }
    }

    fn layout(seed: u64) -> (Graph, Layout) {
        let graph = random(seed);
        let layout = graph.layout();
        (graph, layout)
    }

    #[test]
    fn boxes_lie_apart_and_within_the_drawing() {
        for seed in 0..200 {
            let (graph, Layout { nodes, size, .. }) = layout(seed);
            let ends = nodes.iter().zip(&graph.sizes).map(|((x, _), (width, _))| x + width / 2.0);
            let end = ends.fold(0.0, f64::max);
            assert!(end > size.0 - 400.0, "{seed}: {end} of {}", size.0);
            for (index, (x, y)) in nodes.iter().enumerate() {
                let (width, height) = graph.sizes[index];
                assert!(*x >= width / 2.0 - 1e-6 && *x <= size.0 - width / 2.0 + 1e-6, "{seed}: {x} of {}", size.0);
                assert!(*y >= height / 2.0 - 1e-6 && *y <= size.1 - height / 2.0 + 1e-6, "{seed}: {y} of {}", size.1);
                for (other, (other_x, other_y)) in nodes.iter().enumerate().take(index) {
                    let (other_width, other_height) = graph.sizes[other];
                    let beside = (x - other_x).abs() >= (width + other_width) / 2.0 + 10.0;
                    let below = (y - other_y).abs() >= (height + other_height) / 2.0 + 10.0;
                    assert!(beside || below, "{seed}: {index} on {other}");
                }
            }
        }
    }

    #[test]
    fn edges_go_down_and_past_all_boxes() {
        for seed in 0..200 {
            let (graph, Layout { nodes, edges, .. }) = layout(seed);
            for (points, (from, to)) in edges.iter().zip(&graph.edges) {
                assert!(points.windows(2).all(|pair| pair[0].1 < pair[1].1), "{seed}: {points:?}");
                assert_eq!(points[0], (nodes[*from].0, nodes[*from].1 + graph.sizes[*from].1 / 2.0));
                assert_eq!(points.last().unwrap().1, nodes[*to].1 - graph.sizes[*to].1 / 2.0);
                for (x, y) in &points[1..points.len() - 1] {
                    let on = |((node_x, node_y), (width, height)): (&(f64, f64), &(f64, f64))| {
                        (x - node_x).abs() < width / 2.0 && (y - node_y).abs() <= height / 2.0
                    };
                    assert!(!nodes.iter().zip(&graph.sizes).any(on), "{seed}: {x}, {y} is on a box");
                }
            }
        }
    }

    #[test]
    fn a_chain_is_straight_and_a_skipped_link_goes_beside_it() {
        let sizes = vec![(100.0, 40.0); 5];
        let graph = Graph { sizes, edges: vec![(0, 1), (1, 2), (2, 3), (3, 4), (1, 4)] };
        let Layout { nodes, edges, .. } = graph.layout();
        assert!(nodes.iter().all(|(x, _)| (x - nodes[0].0).abs() < 15.0), "{nodes:?}");
        let bend = edges[4][1].0;
        assert!((bend - nodes[2].0).abs() > 50.0, "{bend} in {nodes:?}");
        assert!(edges[4][1..5].iter().all(|(x, _)| (x - bend).abs() < 4.0), "{edges:?}");
    }
}
