use super::*;
use crate::compile::layout;

#[allow(dead_code, unreachable_pub, reason = "it is shared with the tests of the whole crate")]
#[path = "../../../tests/support/interpreter.rs"]
mod interpreter;

/// Leads to `yes` for one number.
fn test(graph: &mut Graph, value: u32, yes: Id, no: Id) -> Id {
    graph.add(Node::Test { compare: Compare::Equal, value, yes, no })
}

/// What the graph says about a number.
fn walk(graph: &Graph, mut at: Id, number: u32) -> u32 {
    loop {
        at = match graph.node(at) {
            Node::Return(value) => return value,
            Node::Load { next, .. } | Node::And { next, .. } => next,
            Node::Test { value, yes, no, .. } => {
                if number == value {
                    yes
                } else {
                    no
                }
            }
        }
    }
}

/// A test of two places, `between` other tests away, which have so many ends.
fn far(graph: &mut Graph, between: u32, ends: u32, swapped: bool) -> Id {
    let mut end = |value| graph.add(Node::Return(value));
    let (first, second, third) = (end(1), end(2), end(3));
    let one = test(graph, 10_000, first, second);
    let other = test(graph, 20_000, second, third);
    let mut chain = test(graph, 30_000, one, other);
    for number in 0..between {
        let yes = graph.add(Node::Return(100 + number % ends));
        chain = test(graph, number, yes, chain);
    }
    let (yes, no) = if swapped { (other, one) } else { (one, other) };
    let both = test(graph, 40_000, yes, no);
    let root = test(graph, 50_000, chain, both);
    graph.add(Node::Load { offset: layout::NUMBER, next: root })
}

#[test]
fn jumps_arrive_however_far_they_are() {
    for (between, ends) in (235..265).flat_map(|between| (1..9).map(move |ends| (between, ends))) {
        for swapped in [false, true] {
            let mut graph = Graph::new();
            let root = far(&mut graph, between, ends, swapped);
            let Ok(program) = emit(&graph, root) else { panic!("it is not that long") };
            interpreter::check(&program).unwrap();
            for number in (0..between).chain([10_000, 20_000, 30_000, 40_000, 50_000, 60_000]) {
                let call = interpreter::Call { arch: 0, number, args: [0; 6] };
                let value = interpreter::run(&program, &call, true).value;
                assert_eq!(value, walk(&graph, root, number), "{between}, {ends}: {number}");
            }
        }
    }
}
