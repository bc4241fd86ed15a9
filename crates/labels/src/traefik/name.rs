//! What Traefik calls a container, and the rule of a router without one.

use crate::wish::Words;

/// The name of a container's service: that of Compose with its project behind it, or the container's.
pub fn service(words: &Words<'_>) -> String {
    if words.service.is_empty() || words.project.is_empty() {
        normalize(words.container)
    } else {
        normalize(&format!("{}_{}", words.service, words.project))
    }
}

/// Letters and digits, with one `-` where others stand between them.
pub(crate) fn normalize(text: &str) -> String {
    let words: Vec<_> = text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("-")
}

/// The default rule of a container. Of the templates of Go only those are known that people write here.
///
/// # Errors
/// What is not known.
pub(crate) fn default_rule(template: &str, words: &Words<'_>) -> Result<String, String> {
    let mut rule = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inside, after)) = after.split_once("}}") else { break };
        rule.push_str(before);
        rule.push_str(&value(inside.trim_matches('-').trim(), words)?);
        rest = after;
    }
    if rest.contains("{{") {
        return Err("the default rule has a {{ without }}".to_owned());
    }
    rule.push_str(rest);
    Ok(rule)
}

fn value(expression: &str, words: &Words<'_>) -> Result<String, String> {
    let parts: Vec<_> = expression.split_whitespace().collect();
    match parts.as_slice() {
        [".Name"] => Ok(service(words)),
        [".ContainerName"] => Ok(words.container.to_owned()),
        ["normalize", inner @ (".Name" | ".ContainerName")] => Ok(normalize(&value(inner, words)?)),
        ["index", ".Labels", quoted] => {
            let name = quoted.trim_matches(['"', '`']);
            let found = words.labels.iter().find(|(label, _)| *label == name);
            Ok(found.map_or_else(String::new, |(_, value)| (*value).to_owned()))
        }
        _ => Err(format!(
            "the default rule has {{{{ {expression} }}}}; known are .Name, .ContainerName, normalize and index .Labels \"…\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::*;

    #[test]
    fn names_and_default_rules() {
        let words = Words {
            labels: &[("domain", "example.com")],
            service: "web",
            project: "my.app",
            container: "my.app-web-1",
            ..Words::default()
        };
        assert_eq!(service(&words), "web-my-app");
        assert_eq!(service(&Words { project: "", ..words }), "my-app-web-1");
        for (template, right) in [
            ("Host(`{{ normalize .Name }}`)", Some("Host(`web-my-app`)")),
            ("Host(`{{.ContainerName}}.local`)", Some("Host(`my.app-web-1.local`)")),
            ("Host(`{{ .Name }}.{{ index .Labels \"domain\" }}`)", Some("Host(`web-my-app.example.com`)")),
            ("", Some("")),
            ("Host(`{{ .Name | upper }}`)", None),
            ("Host(`{{ .Name`)", None),
        ] {
            assert_eq!(default_rule(template, &words).ok().as_deref(), right, "{template}");
        }
    }

    #[test]
    fn default_rules_are_checked_before_they_are_used() {
        let check = Options::check_default_rule;
        assert_eq!(check(&Options::default().default_rule), Ok(()));
        assert_eq!(check("Host(`{{ index .Labels \"domain\" }}`)"), Ok(()));
        assert!(check("Toto").is_err_and(|error| error.contains("a ( is missing after Toto")));
        assert!(check("Host(`{{ .Toto }}`)").is_err_and(|error| error.contains(".ContainerName")));
    }
}
