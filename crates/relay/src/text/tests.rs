use super::*;

mod catalogue;
mod retelling;
mod sources;

#[test]
fn places_are_filled_by_name_and_values_are_left_alone() {
    let name: &dyn Display = &"{id}";
    let id: &dyn Display = &7;
    let values = [("name", name), ("id", id)];
    assert_eq!(fill("{id}: {name}, {other} {", &values), "7: {id}, {other} {");
    assert_eq!(tr!("a literal {id}, {count}", id = 3, count = "many"), "a literal 3, many");
}

#[test]
fn the_environment_names_the_language() {
    let speaks = |set: &[(&str, &str)]| {
        let set: HashMap<_, _> = set.iter().copied().collect();
        Language::of_environment(|name| set.get(name).map(ToString::to_string))
    };
    assert_eq!(speaks(&[]), Language::English);
    assert_eq!(speaks(&[("LANG", "zh_CN.UTF-8")]), Language::Chinese);
    assert_eq!(speaks(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C.UTF-8")]), Language::English);
    assert_eq!(speaks(&[("LANG", "zh"), ("LC_ALL", "")]), Language::Chinese);
    assert_eq!(speaks(&[("LANG", "en_US.UTF-8"), ("CRS_LANG", "zh")]), Language::Chinese);
    assert_eq!(speaks(&[("LANG", "fr_FR.UTF-8")]), Language::English);
}

#[test]
fn the_arguments_name_the_language_before_anything_else_is_read() {
    let speaks = |line: &str| {
        let arguments: Vec<_> = line.split(' ').map(OsString::from).collect();
        Language::of_arguments(&arguments)
    };
    for line in ["crs --lang zh", "crs key add --nme a --lang=zh", "crs --lang zh_CN.UTF-8 x"] {
        assert_eq!(speaks(line), Some(Language::Chinese), "{line}");
    }
    assert_eq!(speaks("crs --lang en usage"), Some(Language::English));
    for line in ["crs", "crs --lang", "crs --lang fr", "crs show -- --lang zh", "crs --language zh"]
    {
        assert_eq!(speaks(line), None, "{line}");
    }
}
