//! Where settings come from, and which source wins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which source a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A command-line flag.
    Flag,
    /// The environment.
    Environment,
    /// A `.env` file.
    DotEnv,
    /// The file `crs.toml`.
    Toml,
}

/// The raw texts of all sources, the strongest first for each name.
#[derive(Debug, Default)]
pub struct Layers {
    values: BTreeMap<String, (String, Origin)>,
    mistakes: Vec<String>,
}

impl Layers {
    /// Lays flags over environment over `.env` over `crs.toml`, the files in `directory`.
    pub fn gather(
        flags: impl IntoIterator<Item = (&'static str, String)>,
        environment: impl IntoIterator<Item = (String, String)>,
        directory: &Path,
    ) -> Self {
        let mut layers = Self::default();
        for (name, value) in flags {
            layers.add(name, value, Origin::Flag);
        }
        for (name, value) in environment {
            layers.add(&name, value, Origin::Environment);
        }
        layers.add_dot_env(&directory.join(".env"));
        layers.add_toml(&directory.join("crs.toml"));
        layers
    }

    /// Adds a value unless a stronger source has one; an empty one is unset.
    pub fn add(&mut self, name: &str, value: String, origin: Origin) {
        if !value.trim().is_empty() {
            self.values.entry(name.to_owned()).or_insert((value, origin));
        }
    }

    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<&(String, Origin)> {
        self.values.get(name)
    }

    /// Every name that has a value, with its source.
    pub fn names(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.values.iter().map(|(name, (_, origin))| (name.as_str(), origin))
    }

    /// What was wrong with the files, leaving none.
    pub fn take_mistakes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.mistakes)
    }

    fn add_dot_env(&mut self, file: &PathBuf) {
        if !file.exists() {
            return;
        }
        match dotenvy::from_path_iter(file) {
            Ok(pairs) => {
                for pair in pairs {
                    let Ok((name, value)) = pair else {
                        // The error's own text quotes the line, which may hold a secret.
                        self.mistakes.push(".env has a line that is not NAME=VALUE".to_owned());
                        continue;
                    };
                    self.add(&name, value, Origin::DotEnv);
                }
            }
            Err(error) => self.mistakes.push(format!(".env cannot be read: {error}")),
        }
    }

    fn add_toml(&mut self, file: &PathBuf) {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                self.mistakes.push(format!("crs.toml cannot be read: {error}"));
                return;
            }
        };
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let error: toml::de::Error = error;
                self.mistakes.push(format!("crs.toml: {}", error.message()));
                return;
            }
        };
        for (name, value) in table {
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(flag) => flag.to_string(),
                toml::Value::Array(items) if items.iter().all(toml::Value::is_str) => {
                    items.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(",")
                }
                _ => {
                    self.mistakes.push(format!("crs.toml: {name} has a value of the wrong type"));
                    continue;
                }
            };
            let setting = name.to_ascii_uppercase();
            if super::parse::is_setting(&setting) {
                self.add(&setting, text, Origin::Toml);
            } else {
                self.mistakes.push(format!("crs.toml: unknown setting {name}"));
            }
        }
    }
}
