//! Where the boxes of a picture stand: in columns from left to right, so that arrows point to the right, with few crossings.
//! After Sugiyama: rings are broken, boxes get columns, arrows that pass columns are bent there, the order in each column
//! follows the neighbours' (barycentres), and then each box comes as close to its neighbours as that order allows.

/// What is laid out: the height of each box in pixels, and the arrows between them.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) heights: Vec<f64>,
    pub(super) arrows: Vec<(usize, usize)>,
    /// Whether boxes stand as far left as they may, instead of as far right.
    pub(super) leftward: bool,
}

/// Where everything stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Layout {
    /// The column of each box, and where its middle is, in pixels from the top.
    pub(super) boxes: Vec<(usize, f64)>,
    /// The bends of each arrow from left to right: columns, and how far down. Its ends are not among them.
    pub(super) bends: Vec<Vec<(usize, f64)>>,
    /// Whether an arrow points to the left, since it closes a ring.
    pub(super) back: Vec<bool>,
    /// How many columns there are.
    pub(super) columns: usize,
    /// In pixels.
    pub(super) height: f64,
}

/// Pixels between boxes, and between bends.
const BETWEEN: f64 = 14.0;
const BEND: f64 = 8.0;
/// Times that the order is improved, and then the places.
const SWEEPS: usize = 12;

impl Plan {
    pub(super) fn lay_out(&self) -> Layout {
        let back = self.closing();
        let column = self.columns(&back);
        let mut grid = Grid::new(self, &back, &column);
        grid.order();
        let middle = grid.place();
        let boxes = self.heights.len();
        let top = (0..grid.heights.len()).map(|node| middle[node] - grid.heights[node] / 2.0);
        let top = top.fold(f64::MAX, f64::min);
        let bottom = (0..grid.heights.len()).map(|node| middle[node] + grid.heights[node] / 2.0);
        let bends = grid.chains.iter().map(|chain| {
            let inner = chain
                .get(1..chain.len().saturating_sub(1))
                .unwrap_or_default();
            inner
                .iter()
                .map(|node| (grid.column[*node], middle[*node] - top))
                .collect()
        });
        Layout {
            boxes: (0..boxes)
                .map(|node| (column[node], middle[node] - top))
                .collect(),
            bends: bends.collect(),
            back,
            columns: grid.columns.len(),
            height: (bottom.fold(top, f64::max) - top).max(0.0),
        }
    }

    /// The arrows that close rings: each that leads back to where it begins by those before it, so that of a ring the last
    /// arrow points to the left.
    fn closing(&self) -> Vec<bool> {
        let mut out: Vec<Vec<usize>> = vec![Vec::new(); self.heights.len()];
        let closes = |(from, to): &(usize, usize)| {
            let closes = leads(&out, *to, *from);
            if !closes {
                out[*from].push(*to);
            }
            closes
        };
        self.arrows.iter().map(closes).collect()
    }

    /// The arrows out of each box, from left to right, those to itself left out.
    fn out(&self, back: &[bool]) -> Vec<Vec<usize>> {
        let mut out = vec![Vec::new(); self.heights.len()];
        for number in 0..self.arrows.len() {
            let (left, right) = self.ends(back, number);
            if left != right {
                out[left].push(number);
            }
        }
        out
    }

    /// The ends of an arrow from left to right.
    fn ends(&self, back: &[bool], arrow: usize) -> (usize, usize) {
        let (from, to) = self.arrows[arrow];
        if back[arrow] { (to, from) } else { (from, to) }
    }

    /// The column of each box: right of all that lead to it, and no further than that, or the same from the right.
    fn columns(&self, back: &[bool]) -> Vec<usize> {
        let out = self.out(back);
        let mut waits = vec![0; self.heights.len()];
        for arrow in out.iter().flatten() {
            waits[self.ends(back, *arrow).1] += 1;
        }
        let mut order: Vec<usize> = (0..waits.len()).filter(|node| waits[*node] == 0).collect();
        let mut column = vec![0; waits.len()];
        let mut next = 0;
        while let Some(node) = order.get(next).copied() {
            next += 1;
            for arrow in &out[node] {
                let to = self.ends(back, *arrow).1;
                column[to] = column[to].max(column[node] + 1);
                waits[to] -= 1;
                if waits[to] == 0 {
                    order.push(to);
                }
            }
        }
        if !self.leftward {
            let last = column.iter().copied().max().unwrap_or(0);
            for node in order.into_iter().rev() {
                let after = out[node]
                    .iter()
                    .map(|arrow| column[self.ends(back, *arrow).1]);
                column[node] = after.min().map_or(last, |after| after - 1);
            }
        }
        column
    }
}

/// Whether arrows lead from one box to another.
fn leads(out: &[Vec<usize>], from: usize, to: usize) -> bool {
    let mut seen = vec![false; out.len()];
    let mut way = vec![from];
    while let Some(next) = way.pop() {
        if next == to {
            return true;
        }
        if !std::mem::replace(&mut seen[next], true) {
            way.extend(&out[next]);
        }
    }
    false
}

/// Boxes and bends, column by column in order.
struct Grid {
    columns: Vec<Vec<usize>>,
    column: Vec<usize>,
    heights: Vec<f64>,
    /// Boxes and bends of each arrow.
    chains: Vec<Vec<usize>>,
    left: Vec<Vec<usize>>,
    right: Vec<Vec<usize>>,
    /// Where in its column each stands.
    rank: Vec<f64>,
}

impl Grid {
    fn new(plan: &Plan, back: &[bool], column: &[usize]) -> Self {
        let mut grid = Grid {
            columns: vec![Vec::new(); column.iter().max().map_or(0, |last| last + 1)],
            column: column.to_vec(),
            heights: plan.heights.clone(),
            chains: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            rank: Vec::new(),
        };
        for arrow in 0..plan.arrows.len() {
            let (from, to) = plan.ends(back, arrow);
            let mut chain = vec![from];
            for passed in column[from] + 1..column[to].max(column[from] + 1) {
                chain.push(grid.heights.len());
                grid.heights.push(0.0);
                grid.column.push(passed);
            }
            chain.push(to);
            grid.chains.push(chain);
        }
        let count = grid.heights.len();
        (grid.left, grid.right) = (vec![Vec::new(); count], vec![Vec::new(); count]);
        grid.rank = vec![0.0; count];
        for pair in grid.chains.iter().flat_map(|chain| chain.windows(2)) {
            grid.right[pair[0]].push(pair[1]);
            grid.left[pair[1]].push(pair[0]);
        }
        (0..count).for_each(|node| grid.columns[grid.column[node]].push(node));
        for column in &mut grid.columns {
            column.sort_by_key(|node| grid.left[*node].is_empty() && grid.right[*node].is_empty());
        }
        grid.number();
        grid
    }

    fn number(&mut self) {
        for column in &self.columns {
            for (rank, node) in column.iter().enumerate() {
                self.rank[*node] = rank as f64;
            }
        }
    }

    /// Orders the columns; of all orders met the one with the fewest crossings stays.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.columns.clone());
        for sweep in 0..SWEEPS {
            let to_right = sweep % 2 == 0;
            for step in 0..self.columns.len() {
                let number = if to_right {
                    step
                } else {
                    self.columns.len() - 1 - step
                };
                self.order_column(number, to_right);
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.columns.clone());
            }
        }
        self.columns = best.1;
        self.number();
    }

    fn order_column(&mut self, number: usize, by_left: bool) {
        let mut column = std::mem::take(&mut self.columns[number]);
        let key = |node: &usize| {
            let beside = if by_left {
                &self.left[*node]
            } else {
                &self.right[*node]
            };
            let sum: f64 = beside.iter().map(|other| self.rank[*other]).sum();
            match beside.len() {
                0 if self.is_alone(*node) => f64::MAX,
                // What has no neighbours there stays where it is.
                0 => self.rank[*node],
                count => sum / count as f64,
            }
        };
        let mut keyed: Vec<(f64, usize)> = column.iter().map(|node| (key(node), *node)).collect();
        keyed.sort_by(|one, other| one.0.total_cmp(&other.0));
        column.clear();
        column.extend(keyed.into_iter().map(|(_, node)| node));
        for (rank, node) in column.iter().enumerate() {
            self.rank[*node] = rank as f64;
        }
        self.columns[number] = column;
    }

    /// How often arrows cross between neighbouring columns.
    fn crossings(&self) -> usize {
        let between = |column: &Vec<usize>| {
            let mut ends: Vec<(f64, f64)> = Vec::new();
            for node in column {
                let right = self.right[*node].iter();
                ends.extend(right.map(|other| (self.rank[*node], self.rank[*other])));
            }
            ends.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)));
            let above = |i: usize| ends[..i].iter().filter(|end| end.1 > ends[i].1).count();
            (0..ends.len()).map(above).sum::<usize>()
        };
        self.columns.iter().map(between).sum()
    }

    /// The middle of each, in pixels: as near to its neighbours' as the others in its column let it.
    fn place(&self) -> Vec<f64> {
        let mut middle = vec![0.0; self.heights.len()];
        for column in &self.columns {
            let wanted = vec![0.0; column.len()];
            self.settle(column, &wanted, &mut middle);
        }
        for sweep in 0..SWEEPS * 2 {
            for step in 0..self.columns.len() {
                let to_right = sweep % 2 == 0;
                let number = if to_right {
                    step
                } else {
                    self.columns.len() - 1 - step
                };
                let column = self.joined(number);
                let wanted: Vec<f64> = column
                    .iter()
                    .map(|node| self.wanted(*node, to_right, sweep + 2 >= SWEEPS * 2, &middle))
                    .collect();
                self.settle(column, &wanted, &mut middle);
            }
        }
        for (number, column) in self.columns.iter().enumerate() {
            for at in self.joined(number).len().max(1)..column.len() {
                middle[column[at]] =
                    middle[column[at - 1]] + self.distance(column[at - 1], column[at]);
            }
        }
        self.close_up(&mut middle);
        middle
    }

    /// Takes out the bands in which no column has a box: all below move up together, so that no order and no distance within
    /// a column suffers.
    fn close_up(&self, middle: &mut [f64]) {
        let mut order: Vec<usize> = (0..middle.len()).collect();
        let top = |node: usize, middle: &[f64]| middle[node] - self.heights[node] / 2.0;
        order.sort_by(|one, other| top(*one, middle).total_cmp(&top(*other, middle)));
        let (mut taken, mut bottom) = (0.0, f64::NEG_INFINITY);
        for node in order {
            let top = top(node, middle);
            if bottom.is_finite() {
                taken += (top - bottom - BETWEEN).max(0.0);
            }
            bottom = f64::max(bottom, top + self.heights[node]);
            middle[node] -= taken;
        }
    }

    /// Those of a column that have arrows: the others stand below them, where they keep nothing apart.
    fn joined(&self, number: usize) -> &[usize] {
        let column = &self.columns[number];
        &column[..column.partition_point(|node| !self.is_alone(*node))]
    }

    fn is_alone(&self, node: usize) -> bool {
        self.left[node].is_empty() && self.right[node].is_empty()
    }

    fn wanted(&self, node: usize, by_left: bool, by_both: bool, middle: &[f64]) -> f64 {
        let (left, right) = (&self.left[node], &self.right[node]);
        let beside: Vec<usize> = match (by_both, by_left) {
            (true, _) => left.iter().chain(right).copied().collect(),
            (false, true) => left.clone(),
            (false, false) => right.clone(),
        };
        match beside.len() {
            0 => middle[node],
            count => beside.iter().map(|other| middle[*other]).sum::<f64>() / count as f64,
        }
    }

    /// Places a column as close to what is wanted as its order and the distances allow (in squares): those that would
    /// overlap move together, and stand around the mean of what they want.
    fn settle(&self, column: &[usize], wanted: &[f64], middle: &mut [f64]) {
        let mut offset = 0.0;
        let mut offsets = Vec::with_capacity(column.len());
        // Runs that move together: the sum of what they want, and how many there are.
        let mut runs: Vec<(f64, usize)> = Vec::new();
        for (i, node) in column.iter().enumerate() {
            if i > 0 {
                offset += self.distance(column[i - 1], *node);
            }
            offsets.push(offset);
            runs.push((wanted[i] - offset, 1));
            while let [.., before, last] = &mut runs[..] {
                if before.0 / before.1 as f64 <= last.0 / last.1 as f64 {
                    break;
                }
                *before = (before.0 + last.0, before.1 + last.1);
                runs.pop();
            }
        }
        let mut at = 0;
        for (sum, count) in runs {
            for i in at..at + count {
                middle[column[i]] = sum / count as f64 + offsets[i];
            }
            at += count;
        }
    }

    fn distance(&self, above: usize, below: usize) -> f64 {
        let bends = self.heights[above] == 0.0 && self.heights[below] == 0.0;
        let between = if bends { BEND } else { BETWEEN };
        (self.heights[above] + self.heights[below]) / 2.0 + between
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(boxes: usize, arrows: &[(usize, usize)]) -> Plan {
        Plan {
            heights: vec![40.0; boxes],
            arrows: arrows.to_vec(),
            ..Plan::default()
        }
    }

    #[test]
    fn what_holds_stands_left_of_what_is_held() {
        let layout = plan(4, &[(0, 1), (1, 2), (0, 2), (3, 2)]).lay_out();
        let columns: Vec<usize> = layout.boxes.iter().map(|place| place.0).collect();
        assert_eq!(columns, [0, 1, 2, 1], "3 is near what it holds");
        assert_eq!(layout.bends[2].len(), 1, "it passes a column");
        let left = Plan {
            leftward: true,
            ..plan(4, &[(0, 1), (1, 2), (0, 2), (3, 2)])
        };
        assert_eq!(left.lay_out().boxes[3].0, 0);
    }

    #[test]
    fn a_ring_is_broken_at_one_arrow() {
        let layout = plan(3, &[(0, 1), (1, 2), (2, 0), (1, 1)]).lay_out();
        assert_eq!(layout.back, [false, false, true, true]);
        assert_eq!(layout.columns, 3);
    }

    #[test]
    fn crossings_are_undone() {
        let plan = plan(6, &[(0, 5), (1, 4), (2, 3)]);
        let layout = plan.lay_out();
        let down = |a: usize, b: usize| layout.boxes[a].1 < layout.boxes[b].1;
        assert_eq!((down(0, 1), down(1, 2)), (down(5, 4), down(4, 3)));
        // Three boxes, and nothing below them.
        assert!((layout.height - (3.0 * 40.0 + 2.0 * BETWEEN)).abs() < 1e-6);
        assert_eq!(Plan::default().lay_out().boxes, []);
    }

    #[test]
    fn boxes_without_arrows_keep_nothing_apart() {
        let arrows: Vec<(usize, usize)> = (1..10).map(|held| (0, held * 10)).collect();
        let layout = plan(100, &arrows).lay_out();
        assert!((layout.height - (99.0 * 40.0 + 98.0 * BETWEEN)).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn no_boxes_overlap_and_arrows_point_right(
            arrows in prop::collection::vec((0usize..20, 0usize..20), 0..60),
        ) {
            let layout = plan(20, &arrows).lay_out();
            for (one, other) in (0..20).flat_map(|one| (0..one).map(move |other| (one, other))) {
                let (one, other) = (layout.boxes[one], layout.boxes[other]);
                prop_assert!(one.0 != other.0 || (one.1 - other.1).abs() >= 40.0 + BETWEEN - 1e-6);
            }
            for (number, (from, to)) in arrows.iter().enumerate() {
                let (from, to) = (layout.boxes[*from].0, layout.boxes[*to].0);
                let is_right = if layout.back[number] { to <= from } else { from < to };
                prop_assert!(is_right, "{} {}", from, to);
            }
            for place in &layout.boxes {
                prop_assert!(place.1 >= 20.0 - 1e-6 && place.1 <= layout.height - 20.0 + 1e-6);
            }
        }
    }
}
