//! What was meant, perhaps: the nearest of the words that there are.

/// The longest word that can be a slip of the pen.
const LONGEST: usize = 96;

/// What stands between words.
const SEPARATORS: [char; 3] = ['-', '_', '.'];

/// The word that is close enough to what was written, if one is.
pub fn nearest<'a>(written: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > LONGEST {
        return None;
    }
    let written = plain(written);
    let farthest = written.len().div_ceil(4).min(3);
    let distances = words.into_iter().filter_map(|word| {
        let other = plain(word);
        // One of another length is at least that far.
        (written.len().abs_diff(other.len()) <= farthest).then(|| (distance(&written, &other), word))
    });
    let (far, word) = distances.min_by_key(|(far, _)| *far)?;
    (far <= farthest).then_some(word)
}

/// Whether that is the word with at most one slip of the pen in it, or in other letters.
pub(crate) fn is_slip_of(written: &str, word: &str) -> bool {
    // Asked of every label of every container, so nothing is allocated: one slip is what is left between the same beginning and
    // the same end.
    if written.len() > LONGEST {
        return false;
    }
    let (a, b) = (letters(written), letters(word));
    let (of_a, of_b) = (a.clone().count(), b.clone().count());
    let begin = a.clone().zip(b.clone()).take_while(|(a, b)| a == b).count();
    let most = of_a.min(of_b) - begin;
    let end = a.clone().rev().zip(b.clone().rev()).take(most).take_while(|(a, b)| a == b).count();
    let at = |at: usize| (a.clone().nth(begin + at), b.clone().nth(begin + at));
    match (of_a - begin - end, of_b - begin - end) {
        (0 | 1, 0 | 1) => true,
        (2, 2) => at(0) == (at(1).1, at(1).0),
        _ => false,
    }
}

/// What counts of a word.
fn letters(text: &str) -> impl DoubleEndedIterator<Item = u8> + Clone + '_ {
    let bytes = text.bytes().filter(|byte| !SEPARATORS.contains(&char::from(*byte)));
    bytes.map(|byte| byte.to_ascii_lowercase())
}

/// Separators are the first thing that one gets wrong.
fn plain(text: &str) -> String {
    text.to_ascii_lowercase().replace(SEPARATORS, "")
}

/// How many letters must be changed, added, removed, or swapped with their neighbour to make one of the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut rows: [Vec<usize>; 3] = [Vec::new(), Vec::new(), (0..=b.len()).collect()];
    for i in 1..=a.len() {
        rows.rotate_left(1);
        let [before, last, row] = &mut rows;
        row.clear();
        row.push(i);
        for j in 1..=b.len() {
            let changed = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
    }
    rows[2][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slip_is_no_other_word() {
        for (written, word, right) in [
            ("treafik", "traefik", true),
            ("TRAEFIK", "traefik", true),
            ("trafik", "traefik", true),
            ("traffic", "traefik", false),
            ("devisi", "divisi", true),
            ("devise", "divisi", false),
            ("division", "divisi", false),
            ("", "divisi", false),
        ] {
            assert_eq!(is_slip_of(written, word), right, "{written}");
        }
    }

    proptest::proptest! {
        #[test]
        fn one_slip_is_a_distance_of_one(a in "[abA.-]{0,7}", b in "[ab_]{0,7}") {
            proptest::prop_assert_eq!(is_slip_of(&a, &b), distance(&plain(&a), &plain(&b)) <= 1);
        }
    }
}
