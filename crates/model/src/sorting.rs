//! Sorting where bytes count for more than time.
//!
//! Each kind of item that the standard library sorts makes a sort of its own, which is 5 kB of program and more. Here the places
//! of the items are sorted, which are numbers whatever the items are, and then the items are moved to them: one sort for all. It
//! is for what is seldom sorted; it allocates, and each comparison is a call.

use std::cmp::Ordering;

/// Sorts, and leaves equal items in the order in which they were.
pub fn sort_by<T>(items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let places = places(items.len(), &|a, b| compare(&items[a], &items[b]));
    let mut unsorted: Vec<Option<T>> = std::mem::take(items).into_iter().map(Some).collect();
    items.extend(places.into_iter().filter_map(|place| unsorted[place].take()));
}

/// Where each of so many items is now, in the order in which they are to be. Not inlined, or there would be many again.
#[inline(never)]
fn places(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<_> = (0..count).collect();
    places.sort_unstable_by(|&a, &b| compare(a, b).then(a.cmp(&b)));
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_sorts_as_the_standard_library_does(keys in prop::collection::vec(0..20_u8, 0..200)) {
            // The text tells items apart that are equal by their key.
            let items: Vec<_> = keys.into_iter().enumerate().map(|(at, key)| (key, at.to_string())).collect();
            let (mut ours, mut theirs) = (items.clone(), items);
            sort_by(&mut ours, |a, b| a.0.cmp(&b.0));
            theirs.sort_by_key(|item| item.0);
            prop_assert_eq!(ours, theirs);
        }
    }
}
