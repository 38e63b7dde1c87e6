//! A program in which there is something of everything that debug information names: compiled by the tests in many ways.

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::rc::Rc;

mod shop {
    pub struct Order {
        pub number: u64,
        pub lines: Vec<(u32, String)>,
    }

    impl Order {
        #[inline(never)]
        pub fn new(number: u64) -> Self {
            let mut lines = Vec::new();
            for line in 0..number as u32 % 5 {
                lines.push((line, format!("line {line}")));
            }
            Order { number, lines }
        }
    }

    pub trait Priced {
        fn price(&self) -> u64;
    }

    impl Priced for Order {
        fn price(&self) -> u64 {
            self.number * self.lines.len() as u64
        }
    }
}

use shop::{Order, Priced};

#[inline(never)]
fn fill<T: Clone>(value: &T, count: usize) -> Vec<T> {
    let mut all = Vec::with_capacity(1);
    while all.len() < count {
        all.push(value.clone());
    }
    all
}

#[inline(never)]
fn adder(by: u64) -> Box<dyn Fn(u64) -> u64> {
    let table: Vec<u64> = (0..by).collect();
    Box::new(move |to| to + table.len() as u64)
}

#[inline(never)]
fn index(orders: Vec<Order>) -> HashMap<u64, Rc<Order>> {
    let mut index = HashMap::new();
    for order in orders {
        index.insert(order.number, Rc::new(order));
    }
    index
}

fn main() {
    let orders = index((0..black_box(9)).map(Order::new).collect());
    let sorted: BTreeMap<u64, Rc<Order>> = orders.iter().map(|(key, of)| (*key, of.clone())).collect();
    let prices: Vec<Box<dyn Priced>> = vec![Box::new(Order::new(3)), Box::new(Order::new(4))];
    let words = fill(&String::from("word"), black_box(3));
    let pairs = fill(&(1u8, 2u64), black_box(3));
    let add = adder(black_box(7));
    let price: u64 = prices.iter().map(|priced| priced.price()).sum();
    println!("{} {} {} {}", add(price), sorted.len(), words.len(), pairs.len());
}
