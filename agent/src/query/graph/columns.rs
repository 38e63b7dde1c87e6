//! How many columns a picture takes, arrow by arrow: one that would make it too wide is refused.

/// What stands left and right of each box by the arrows so far.
#[derive(Debug)]
pub(super) struct Columns {
    out: Vec<Vec<usize>>,
    into: Vec<Vec<usize>>,
    /// Arrows of the longest way to a box, and from it.
    left: Vec<usize>,
    right: Vec<usize>,
    most: usize,
}

impl Columns {
    /// No arrows yet, and room for so many columns.
    pub(super) fn new(most: usize) -> Self {
        Columns {
            out: Vec::new(),
            into: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            most,
        }
    }

    /// Takes an arrow unless it makes the picture too wide. One that closes a ring does not: it points to the left.
    pub(super) fn takes(&mut self, from: usize, to: usize) -> bool {
        self.know(from.max(to));
        if self.leads(to, from) {
            return true;
        }
        if self.left[from] + self.right[to] + 2 > self.most {
            return false;
        }
        self.out[from].push(to);
        self.into[to].push(from);
        push_on(&mut self.left, &self.out, from);
        push_on(&mut self.right, &self.into, to);
        true
    }

    fn know(&mut self, last: usize) {
        let boxes = self.out.len().max(last + 1);
        self.out.resize(boxes, Vec::new());
        self.into.resize(boxes, Vec::new());
        self.left.resize(boxes, 0);
        self.right.resize(boxes, 0);
    }

    /// Whether arrows lead from one box to another.
    fn leads(&self, from: usize, to: usize) -> bool {
        let mut seen = vec![false; self.out.len()];
        let mut way = vec![from];
        while let Some(next) = way.pop() {
            if next == to {
                return true;
            }
            if !std::mem::replace(&mut seen[next], true) {
                way.extend(&self.out[next]);
            }
        }
        false
    }
}

/// Moves all that follow a box at least one further than what leads to them.
fn push_on(far: &mut [usize], follow: &[Vec<usize>], from: usize) {
    let mut way = vec![from];
    while let Some(next) = way.pop() {
        for other in &follow[next] {
            if far[*other] <= far[next] {
                far[*other] = far[next] + 1;
                way.push(*other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_way_is_cut_where_there_is_no_column_left() {
        let mut columns = Columns::new(3);
        assert!(columns.takes(1, 2) && columns.takes(0, 1));
        assert!(!columns.takes(2, 3), "a fourth column");
        assert!(!columns.takes(3, 0), "also at the other end");
        assert!(columns.takes(2, 0) && columns.takes(2, 2), "a ring");
        assert!(columns.takes(1, 3) && columns.takes(0, 3));
    }

    #[test]
    fn all_that_follows_moves_on() {
        let mut columns = Columns::new(4);
        assert!(columns.takes(1, 2) && columns.takes(3, 4));
        assert!(columns.takes(2, 3), "four in a row");
        assert!(!columns.takes(0, 1) && columns.takes(0, 2));
    }
}
