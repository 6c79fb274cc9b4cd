//! A search through all worlds that can be reached.

use std::collections::{HashMap, VecDeque, hash_map::Entry};

use super::world::{Step, World};

/// What a search has found.
pub struct Found {
    /// How many worlds there are.
    pub worlds: usize,
    /// How many steps lead from one to another.
    pub steps: usize,
    /// How many of the worlds are ends.
    pub ends: usize,
    /// The first that is not as it should be: what is wrong, and the steps that lead there.
    pub broken: Option<(String, Vec<Step>)>,
}

/// Whence a world was first reached.
type Origin = Option<(usize, Step)>;

/// Which world comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The nearest, so that the way to what is found is a short one.
    Nearest,
    /// The farthest, so that something is found soon.
    Farthest,
}

/// Searches through all worlds that can be reached from one.
pub fn search(from: World, first: First) -> Found {
    let mut numbers = HashMap::from([(from.key(), 0)]);
    let mut origins: Vec<Origin> = vec![None];
    let mut within_a_tick: Vec<(usize, usize)> = Vec::new();
    let mut to_do = VecDeque::from([(0, from)]);
    let mut found = Found {
        worlds: 0,
        steps: 0,
        ends: 0,
        broken: None,
    };
    let next = |to_do: &mut VecDeque<(usize, World)>| match first {
        First::Nearest => to_do.pop_front(),
        First::Farthest => to_do.pop_back(),
    };
    while let Some((number, world)) = next(&mut to_do) {
        found.worlds += 1;
        if let Some(what) = world.broken() {
            found.broken = Some((what, way_to(number, &origins)));
            return found;
        }
        let steps = world.steps();
        if steps.is_empty() {
            found.ends += 1;
            if !world.is_over() {
                let what = "somebody waits for ever".to_owned();
                found.broken = Some((what, way_to(number, &origins)));
                return found;
            }
        }
        for step in steps {
            found.steps += 1;
            let next = world.after(step);
            let next_number = match numbers.entry(next.key()) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(vacant) => {
                    let next_number = origins.len();
                    vacant.insert(next_number);
                    origins.push(Some((number, step)));
                    to_do.push_back((next_number, next.clone()));
                    next_number
                }
            };
            if next.now() == world.now() {
                within_a_tick.push((number, next_number));
            }
        }
    }
    if let Some(number) = turns_in_circles(origins.len(), &within_a_tick) {
        let what = "they turn in circles, and time stands still".to_owned();
        found.broken = Some((what, way_to(number, &origins)));
    }
    found
}

fn way_to(mut number: usize, origins: &[Origin]) -> Vec<Step> {
    let mut way = Vec::new();
    while let Some((before, step)) = origins[number] {
        way.push(step);
        number = before;
    }
    way.reverse();
    way
}

/// A world from which one can come back to it, or to another such one. Where there is none, time has to pass in the end.
fn turns_in_circles(worlds: usize, steps: &[(usize, usize)]) -> Option<usize> {
    let mut incoming = vec![0_u32; worlds];
    let mut outgoing: Vec<Vec<usize>> = vec![Vec::new(); worlds];
    for (from, to) in steps {
        incoming[*to] += 1;
        outgoing[*from].push(*to);
    }
    let mut free: Vec<usize> = (0..worlds).filter(|it| incoming[*it] == 0).collect();
    while let Some(world) = free.pop() {
        for next in &outgoing[world] {
            incoming[*next] -= 1;
            if incoming[*next] == 0 {
                free.push(*next);
            }
        }
    }
    incoming.iter().position(|it| *it > 0)
}
