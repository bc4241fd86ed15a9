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
    // Most words are seen to be others by their length.
    let letters = |text: &str| text.bytes().filter(|byte| !SEPARATORS.contains(&char::from(*byte))).count();
    let is_as_long = written.len() <= LONGEST && letters(written).abs_diff(letters(word)) <= 1;
    is_as_long && distance(&plain(written), &plain(word)) <= 1
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
    use super::is_slip_of;

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
}
