//! Whether a GGUF file is one of a model: what it says of itself, and which tensors it holds in which shapes. Not their values.

use std::collections::BTreeSet;

use babelquant_proto::Role;

use super::Gguf;
use super::header::Declared;
use super::names::{self, Counterpart, Part};
use crate::model::ModelError;
use crate::model::architecture::Architecture;

impl Gguf {
    /// Refuses a file that says of itself that it is not what is wanted.
    pub(super) fn check_head(&self, architecture: &Architecture) -> Result<(), ModelError> {
        let said = &self.header.architecture;
        let Some(expected) = names::architecture(self.family) else {
            let reason = "llama.cpp does not convert models of this family".to_owned();
            return Err(self.other(reason));
        };
        if said != expected {
            let reason =
                format!("its general.architecture is {said:?}, this family's {expected:?}");
            return Err(self.other(reason));
        }
        if let Some(parts) = self.header.number("split.count").filter(|&parts| parts > 1) {
            let advice = "join them with llama-gguf-split --merge";
            return Err(self.other(format!("it is one of {parts} parts: {advice}")));
        }
        let attention = &architecture.attention;
        for (key, ours) in [("head_count", attention.heads), ("head_count_kv", attention.key_heads)]
        {
            let theirs = self.header.number(&format!("{expected}.attention.{key}"));
            if let Some(theirs) = theirs.filter(|&theirs| theirs != u64::from(ours)) {
                return Err(self.other(format!("its {key} is {theirs}, the model's {ours}")));
            }
        }
        let turned = names::neighbouring(self.family, Role::AttnQ, attention).is_some();
        match turned && attention.head_width % 2 == 1 {
            true => Err(self.other("heads of an odd width have no pairs of channels".to_owned())),
            false => Ok(()),
        }
    }

    /// What is missing, misshapen, of a foreign type or superfluous.
    pub(super) fn problems(&self, architecture: &Architecture) -> Vec<String> {
        let (mut problems, mut used) = (Vec::new(), BTreeSet::new());
        for (name, shape) in architecture.tensors() {
            for (name, shape) in self.expected(architecture, &name, shape) {
                if !used.insert(name.clone()) {
                    continue;
                }
                match self.header.tensors.get(&name) {
                    None => problems.push(format!("{name} is missing")),
                    Some(declared) => {
                        problems.extend(self.misfit(&name, declared, &shape));
                    }
                }
            }
        }
        let tied = architecture.head.name.is_none();
        let ignored = |name: &&String| {
            let mut ends = names::IGNORED.iter();
            ends.any(|end| name.ends_with(end)) || (tied && *name == "output.weight")
        };
        let others = self.header.tensors.keys().filter(|name| !used.contains(*name));
        let others = others.filter(|name| !ignored(name));
        problems.extend(others.map(|name| format!("{name} is not part of the model")));
        problems
    }

    /// The tensors of the file, by name and shape, that one of the model's needs.
    fn expected(
        &self,
        architecture: &Architecture,
        name: &str,
        shape: Vec<usize>,
    ) -> Vec<(String, Vec<usize>)> {
        match architecture.counterpart(name) {
            None => vec![(name.to_owned(), shape)],
            Some(Counterpart::Tensor(theirs) | Counterpart::Gain(theirs)) => vec![(theirs, shape)],
            Some(Counterpart::Matrix(layer, matrix, part)) => {
                let axes = match part {
                    Part::Weight => vec![matrix.columns],
                    Part::Bias => Vec::new(),
                };
                let piece = |&(role, _): &(Role, usize)| {
                    let piece = self.piece(architecture, layer, (role, part));
                    (piece.name, [vec![piece.all], axes.clone()].concat())
                };
                matrix.roles.iter().map(piece).collect()
            }
        }
    }

    fn misfit(&self, name: &str, declared: &Declared, shape: &[usize]) -> Option<String> {
        if let Err(reason) = &declared.content {
            return Some(format!("{name} {reason}"));
        }
        let found = declared.shape.as_slice();
        let cut = names::cuts_vocabulary(self.family)
            && name == "token_embd.weight"
            && found[1..] == shape[1..]
            && found[0] < shape[0];
        (found != shape && !cut).then(|| format!("{name} has shape {found:?} instead of {shape:?}"))
    }
}
