//! The recipe as keys of a study file: exactly what was chosen.

use super::{Export, comments};
use crate::recipe::Recipe;

pub(super) fn export(recipe: &Recipe) -> Export {
    let text = format!(
        "{}scopes = [\"all\"]\ncomponents = [\"{}\"]\nconfigs = [\"{}\"]\n",
        comments(recipe, "Keys of a study file.", &[]),
        recipe.question.subject.components,
        recipe.config(),
    );
    Export { file: "study-keys.toml", text, remarks: Vec::new() }
}
