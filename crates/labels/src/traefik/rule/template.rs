//! `{name:regex}` in hosts and paths, as Traefik 2 has it: everything else in the text stands for itself.

/// The whole text as a regular expression without anchors, if there is such a template in it. `free` is what stands for a
/// name without an expression.
pub(crate) fn expression(text: &str, free: &str) -> Option<String> {
    let mut expression = String::new();
    let mut rest = text;
    let mut found = false;
    while let Some(open) = rest.find('{') {
        literal(&rest[..open], &mut expression);
        rest = &rest[open..];
        if let Some((pattern, after)) = variable(rest) {
            expression.push_str("(?:");
            expression.push_str(pattern.unwrap_or(free));
            expression.push(')');
            rest = after;
            found = true;
        } else {
            literal("{", &mut expression);
            rest = &rest[1..];
        }
    }
    literal(rest, &mut expression);
    found.then_some(expression)
}

/// What stands in the braces with which the text begins, and what follows them. No repetition of a regular expression begins
/// with a letter, so the two cannot be mistaken for each other.
fn variable(text: &str) -> Option<(Option<&str>, &str)> {
    let inside = text.strip_prefix('{')?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let name = inside.bytes().take_while(|byte| is_name(*byte)).count();
    if name > 0 && inside.as_bytes()[0].is_ascii_digit() {
        return None;
    }
    let after = &inside[name..];
    if let Some(after) = after.strip_prefix('}') {
        return (name > 0).then_some((None, after));
    }
    let pattern = after.strip_prefix(':')?;
    let mut depth = 1;
    for (at, byte) in pattern.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((Some(&pattern[..at]), &pattern[at + 1..]));
        }
    }
    None
}

fn literal(text: &str, expression: &mut String) {
    for char in text.chars() {
        if r"\.+*?()|[]{}^$".contains(char) {
            expression.push('\\');
        }
        expression.push(char);
    }
}

#[cfg(test)]
mod tests {
    use super::expression;

    #[test]
    fn only_what_has_a_name_is_a_template() {
        for (text, right) in [
            ("{sub:[a-z]+}.example.com", Some(r"(?:[a-z]+)\.example\.com")),
            ("{sub}.example.com", Some(r"(?:[^.]+)\.example\.com")),
            ("{:a|b}.x", Some(r"(?:a|b)\.x")),
            ("/{id:[0-9]{2}}/x", Some("/(?:[0-9]{2})/x")),
            ("a{b:c", None),
            ("a{2,3}", None),
            ("^.+$", None),
            ("{}", None),
            ("{ü:a}", None),
            ("", None),
        ] {
            assert_eq!(expression(text, "[^.]+").as_deref(), right, "{text}");
        }
    }
}
