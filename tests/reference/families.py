"""Where each family's model keeps its layers, norms and matrices in `transformers`, by role."""

from dataclasses import dataclass, replace

COMPONENTS = {
    "attention": ["attn.q", "attn.k", "attn.v", "attn.o"],
    "cross": ["cross.q", "cross.k", "cross.v", "cross.o"],
    "mlp": ["mlp.gate", "mlp.up", "mlp.down"],
}
COMPONENTS["linear"] = [role for roles in COMPONENTS.values() for role in roles]


@dataclass(frozen=True)
class Stack:
    """A stack of layers. Names are those of modules below the family's root; `label` starts the names of its activations."""

    blocks: str
    final_norm: str
    roles: dict
    resid_mid: tuple | None
    label: str = ""
    layer_prefix: str = ""

    def points(self):
        """Name of an activation -> the module of a layer and its side, `in` or `out`."""
        points = {
            "attn_in": (self.roles["attn.q"], "in"),
            "attn_out": (self.roles["attn.o"], "out"),
            "mlp_in": (self.roles["mlp.up"], "in"),
            "mlp_act": (self.roles["mlp.down"], "in"),
            "mlp_out": (self.roles["mlp.down"], "out"),
        }
        if self.resid_mid:
            points["resid_mid"] = self.resid_mid
        if "cross.q" in self.roles:
            points |= {"cross_in": (self.roles["cross.q"], "in"), "cross_out": (self.roles["cross.o"], "out")}
        return points


@dataclass(frozen=True)
class Family:
    """A family. `shared` says how query, key and value lie in one matrix; `turned` that matrices are [inputs, outputs]."""

    root: str
    stacks: tuple
    shared: str | None = None
    turned: bool = False
    norm_center: float = 1.0
    stored_names: tuple = ()

    def root_of(self, model):
        return model.get_submodule(self.root)


@dataclass(frozen=True)
class Matrix:
    """A weight matrix by its name below the root."""

    name: str
    shared: str | None
    turned: bool


def layer_names(root, family):
    """Every layer by name, in order: 0, 1, ... and for encoders enc.0, enc.1, ..."""
    return [
        f"{stack.layer_prefix}{i}" for stack in family.stacks for i in range(len(root.get_submodule(stack.blocks)))
    ]


def place(family, layer):
    """The stack of a layer and its number there."""
    prefix, _, index = layer.rpartition(".")
    return next(stack for stack in family.stacks if stack.layer_prefix == (prefix and prefix + ".")), index


def norms(root, family, layer):
    """The gains of a layer's norms: every vector of the layer that is no bias."""
    stack, index = place(family, layer)
    block = f"{stack.blocks}.{index}"
    vectors = [name for name, values in root.get_submodule(block).named_parameters() if values.ndim == 1]
    return [Matrix(f"{block}.{name}", None, False) for name in vectors if name.endswith("weight")]


def matrices(family, layer, components):
    """Role and matrix of the components that the layer has."""
    roles = [role for part in components.split("+") for role in COMPONENTS.get(part, [part])]
    stack, index = place(family, layer)
    return [
        (role, Matrix(f"{stack.blocks}.{index}.{stack.roles[role]}.weight", family.shared, family.turned))
        for role in roles
        if role in stack.roles
    ]


def plain(root, blocks, final_norm, roles, resid_mid, **rest):
    """A family with one stack."""
    return Family(root, (Stack(blocks, final_norm, roles, resid_mid),), **rest)


def fused(matrix, o, up, down):
    """Roles where query, key and value share a matrix."""
    return {"attn.q": matrix, "attn.k": matrix, "attn.v": matrix, "attn.o": o, "mlp.up": up, "mlp.down": down}


def separate(attention, o="o"):
    """Roles of an attention with a matrix for each; `attention` has a place for q, k, v and o."""
    return {f"attn.{role}": attention.format(o if role == "o" else role) for role in "qkvo"}


FAIRSEQ = separate("self_attn.{}_proj", "out") | {"mlp.up": "fc1", "mlp.down": "fc2"}
LLAMA_ROLES = separate("self_attn.{}_proj") | {role: f"mlp.{role[4:]}_proj" for role in COMPONENTS["mlp"]}
LLAMA = plain("model", "layers", "norm", LLAMA_ROLES, ("post_attention_layernorm", "in"))
GEMMA = plain("model", "layers", "norm", LLAMA_ROLES, ("pre_feedforward_layernorm", "in"), norm_center=0.0)
GPT_NEOX = plain(
    "gpt_neox", "layers", "final_layer_norm",
    fused("attention.query_key_value", "attention.dense", "mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
    ("post_attention_layernorm", "in"), shared="head by head", stored_names=(("lm_head.", "embed_out."),),
)


def t5_feed_forward(layer):
    names = {"mlp.gate": "wi_0", "mlp.up": "wi_1", "mlp.down": "wo"}
    return {role: f"layer.{layer}.DenseReluDense.{name}" for role, name in names.items()}


T5_SELF = separate("layer.0.SelfAttention.{}")
T5_CROSS = {f"cross.{role}": f"layer.1.EncDecAttention.{role}" for role in "qkvo"}

FAMILIES = {
    # BLOOM adds the residual inside its attention module.
    "bloom": plain(
        "transformer", "h", "ln_f",
        fused("self_attention.query_key_value", "self_attention.dense", "mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
        ("self_attention", "out"), shared="head by head",
    ),
    "xglm": plain("model", "layers", "layer_norm", FAIRSEQ, ("final_layer_norm", "in")),
    "opt": plain("model.decoder", "layers", "final_layer_norm", FAIRSEQ, ("final_layer_norm", "in")),
    "gpt2": plain(
        "transformer", "h", "ln_f", fused("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"), ("ln_2", "in"),
        shared="one after another", turned=True,
    ),
    "gpt_neox": GPT_NEOX,
    "llama": LLAMA,
    "mistral": LLAMA,
    "qwen2": LLAMA,
    "qwen3": LLAMA,
    "gemma2": GEMMA,
    "gemma3_text": GEMMA,
    "olmo2": plain("model", "layers", "norm", LLAMA_ROLES, ("mlp", "in")),
    "mt5": Family(
        "",
        (
            Stack(
                "encoder.block", "encoder.final_layer_norm", T5_SELF | t5_feed_forward(1),
                ("layer.1.layer_norm", "in"), "enc.", "enc.",
            ),
            Stack(
                "decoder.block", "decoder.final_layer_norm", T5_SELF | T5_CROSS | t5_feed_forward(2),
                ("layer.2.layer_norm", "in"), "dec.",
            ),
        ),
    ),
}


def family_of(config):
    """The family of a configuration, as its flags change it."""
    family = FAMILIES[config.model_type]
    if config.model_type == "gpt_neox" and config.use_parallel_residual:
        return replace(family, stacks=(replace(family.stacks[0], resid_mid=None),))
    return family
