//! What the project is called.

use std::path::Path;

/// A name as the engine takes it.
pub(crate) fn normal(text: &str) -> String {
    let small = text.to_lowercase();
    let kept = small.chars().filter(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || "_-".contains(*char));
    kept.collect::<String>().trim_start_matches(['_', '-']).to_owned()
}

/// What the folder is called.
pub(crate) fn of_folder(folder: &Path) -> String {
    // No folder at all is the one where we are.
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    // `..` goes a folder up, whatever links there are: so Compose has it.
    let mut parts = Vec::new();
    for part in absolute.components() {
        match part {
            std::path::Component::ParentDir => drop(parts.pop()),
            std::path::Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            _ => {}
        }
    }
    parts.pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(normal("My.App_1-ü"), "myapp_1-");
        assert_eq!(normal("__x"), "x");
        assert_eq!(of_folder(Path::new("/srv/My Shop")), "My Shop");
        assert_eq!(of_folder(Path::new("/srv/shop/a/..")), "shop");
        assert_eq!(of_folder(Path::new("/")), "");
        assert_eq!(of_folder(Path::new("")), "compose");
    }
}
