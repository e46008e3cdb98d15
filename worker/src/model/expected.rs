//! What a checkpoint must hold for an architecture: every tensor by name and shape. Nothing is read here.

use babelquant_proto::Layer;

use super::architecture::{Architecture, Positions, ScoreBias, StackNames};

/// A tensor that must be there.
pub type Expected = (String, Vec<usize>);

impl Architecture {
    /// Every tensor that the model needs, each once.
    pub fn tensors(&self) -> Vec<Expected> {
        let width = self.shape.hidden as usize;
        let vocabulary = vec![self.shape.vocabulary as usize, width];
        let mut expected = vec![(self.names.embedding.to_owned(), vocabulary.clone())];
        expected.extend(self.head.name.map(|name| (name.to_owned(), vocabulary)));
        if let (Some(name), Some(rows)) = (self.names.positions, self.position_rows()) {
            expected.push((name.to_owned(), vec![rows, width]));
        }
        if let Some(name) = self.names.embedding_norm {
            expected.extend(self.norm_tensors(name, width));
        }
        for stack in self.stacks() {
            let names = &self.stack(stack).names;
            expected.extend(self.norm_tensors(names.final_norm, width));
            if let (Some(name), ScoreBias::Buckets { count, .. }) =
                (names.score_bias, self.attention.bias)
            {
                let shape = vec![count as usize, self.attention.heads as usize];
                expected.push((name.to_owned(), shape));
            }
        }
        expected.extend(self.shape.stacked_layers().flat_map(|layer| self.layer_tensors(layer)));
        expected
    }

    /// How many numbers the model has: every tensor once, however often it is used.
    pub fn parameters(&self) -> u64 {
        let sizes = self.tensors().into_iter();
        sizes.map(|(_, shape)| shape.iter().map(|&size| size as u64).product::<u64>()).sum()
    }

    /// True for a stored tensor that nothing needs: a buffer, a copy of a tied head, a part of another model.
    pub fn ignores(&self, name: &str) -> bool {
        let ends = |end: &&str| {
            name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let mut foreign = self.names.foreign.iter();
        self.head.name != Some(name)
            && (self.names.ignored.iter().any(ends) || foreign.any(|start| name.starts_with(start)))
    }

    /// Rows of the stored table of positions.
    fn position_rows(&self) -> Option<usize> {
        match self.embedding.positions {
            Positions::Learned { offset } => Some((self.shape.positions? + offset) as usize),
            Positions::None | Positions::Sinusoidal { .. } => None,
        }
    }

    fn layer_tensors(&self, layer: Layer) -> Vec<Expected> {
        let stack = self.stack(layer.stack);
        let StackNames { attn_norm, attn_post_norm, cross_norm, mlp_norm, mlp_post_norm, .. } =
            stack.names;
        let norms = [attn_norm, attn_post_norm, cross_norm, mlp_norm, mlp_post_norm];
        let width = self.shape.hidden as usize;
        let mut expected: Vec<Expected> = norms
            .into_iter()
            .flatten()
            .flat_map(|name| self.norm_tensors(&self.layer_name(layer, name), width))
            .collect();
        let attention = &self.attention;
        let head_norms = [
            (stack.names.query_norm, attention.heads),
            (stack.names.key_norm, attention.key_heads),
        ];
        for (name, heads) in head_norms {
            let heads = if stack.names.norm_across_heads { heads } else { 1 };
            let shape = vec![(heads * attention.head_width) as usize];
            expected.extend(
                name.map(|name| (format!("{}.weight", self.layer_name(layer, name)), shape)),
            );
        }
        for matrix in &stack.matrices {
            let name = self.layer_name(layer, matrix.name);
            expected.push((format!("{name}.weight"), matrix.stored_shape()));
            if matrix.bias {
                expected.push((format!("{name}.bias"), vec![matrix.rows()]));
            }
        }
        expected
    }

    fn norm_tensors(&self, name: &str, width: usize) -> Vec<Expected> {
        let parts: &[&str] =
            if self.norm.kind.has_bias() { &["weight", "bias"] } else { &["weight"] };
        parts.iter().map(|part| (format!("{name}.{part}"), vec![width])).collect()
    }
}
