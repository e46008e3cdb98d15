//! The pickles of a torch checkpoint, read as data: they can name tensors, storages and ordered dicts, and nothing is ever
//! called. Not where the storages lie (`archive`, `legacy`).
//!
//! Candle's reader is not used for files from strangers: it copies whatever is fetched from the memo, so that a few bytes ask for
//! any amount of memory, panics on calls with too few arguments, and leaves out storages that it does not know.

use std::collections::{BTreeMap, BTreeSet};

use super::TorchError;
use super::cursor::Cursor;
use super::view::{Global, Storage, View};

/// What lies on the stack. Compound values are numbers of places in the machine, so that copies cost nothing, nothing is deep,
/// and memory grows with the pickle's length only.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Mark,
    None,
    Boolean(bool),
    /// A float of any value: nothing in a checkpoint depends on one.
    Float,
    Integer(i64),
    Text(&'a str),
    Global(Global),
    Tuple(usize, usize),
    List(usize),
    Dict(usize),
    Storage(usize),
    Tensor(usize),
}

/// Reads pickles that follow one another.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    pub(super) input: Cursor<'a>,
    stack: Vec<Value<'a>>,
    memo: BTreeMap<usize, Value<'a>>,
    /// The items of all tuples.
    items: Vec<Value<'a>>,
    /// The items of each list, the keys and values of each dict.
    contents: Vec<Vec<Value<'a>>>,
    /// All storages that the pickles had so far.
    pub(super) storages: Vec<Storage<'a>>,
    tensors: Vec<View<'a>>,
}

/// Most axes of a tensor.
const AXES_MAX: usize = 8;

impl<'a> Machine<'a> {
    /// A machine at the beginning of these bytes.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            input: Cursor::new(bytes),
            stack: Vec::new(),
            memo: BTreeMap::new(),
            items: Vec::new(),
            contents: Vec::new(),
            storages: Vec::new(),
            tensors: Vec::new(),
        }
    }

    /// Reads the next pickle.
    ///
    /// # Errors
    /// It names anything but the parts of a state dict, or is malformed.
    pub(super) fn object(&mut self) -> Result<Value<'a>, TorchError> {
        self.stack.clear();
        self.memo.clear();
        loop {
            if let Some(top) = self.step()? {
                return Ok(top);
            }
        }
    }

    /// Reads the next pickle, which is a state dict: its tensors by name.
    ///
    /// # Errors
    /// As `object`, or it holds something else than tensors.
    pub(super) fn state_dict(&mut self) -> Result<BTreeMap<&'a str, View<'a>>, TorchError> {
        let Value::Dict(dict) = self.object()? else { return Err(TorchError::NoDict) };
        let mut tensors = BTreeMap::new();
        let mut others = BTreeSet::new();
        for entry in self.pairs(dict) {
            let [Value::Text(name), value] = *entry else {
                return Err(self.input.malformed("it has an entry without a name"));
            };
            let new = match value {
                Value::Tensor(tensor) => {
                    tensors.insert(name, self.tensors[tensor].clone()).is_none()
                }
                _ => others.insert(name),
            };
            if !new {
                return Err(self.input.malformed("it has two entries of one name"));
            }
        }
        if others.is_empty() {
            return Ok(tensors);
        }
        Err(TorchError::NoTensors { names: others.into_iter().map(str::to_owned).collect() })
    }

    /// The items of the list that has this place.
    pub(super) fn list(&self, place: usize) -> &[Value<'a>] {
        &self.contents[place]
    }

    /// The keys and values of the dict that has this place.
    pub(super) fn pairs(&self, place: usize) -> &[[Value<'a>; 2]] {
        self.contents[place].as_chunks().0
    }

    /// Reads one opcode and does what it says; the result is the pickled object when it says stop.
    fn step(&mut self) -> Result<Option<Value<'a>>, TorchError> {
        let opcode = self.input.byte()?;
        let value = match opcode {
            // STOP
            b'.' => return self.pop().map(Some),
            // PROTO, FRAME
            0x80 => return self.input.take(1).map(|_| None),
            0x95 => return self.input.take(8).map(|_| None),
            // BINPUT, LONG_BINPUT, MEMOIZE
            b'q' | b'r' | 0x94 => return self.memorize(opcode),
            // APPEND, APPENDS, SETITEM, SETITEMS, BUILD
            b'a' | b'e' | b's' | b'u' | b'b' => return self.extend(opcode),
            // MARK
            b'(' => Value::Mark,
            // NONE, NEWTRUE, NEWFALSE, BINFLOAT
            b'N' => Value::None,
            0x88 | 0x89 => Value::Boolean(opcode == 0x88),
            b'G' => self.input.take(8).map(|_| Value::Float)?,
            // BININT1, BININT2, BININT, LONG1
            b'K' => Value::Integer(self.input.unsigned(1)?),
            b'M' => Value::Integer(self.input.unsigned(2)?),
            b'J' => Value::Integer(self.input.signed(4)?),
            0x8a => self.long()?,
            // BINUNICODE, SHORT_BINUNICODE
            b'X' => Value::Text(self.input.text(4)?),
            0x8c => Value::Text(self.input.text(1)?),
            // GLOBAL, STACK_GLOBAL
            b'c' => self.global()?,
            0x93 => self.stack_global()?,
            // BINGET, LONG_BINGET
            b'h' => self.recall(1)?,
            b'j' => self.recall(4)?,
            // EMPTY_TUPLE, TUPLE1 to TUPLE3, TUPLE, EMPTY_LIST, EMPTY_DICT
            b')' => self.tuple(self.stack.len()),
            0x85..=0x87 => self.below(usize::from(opcode - 0x84)).map(|start| self.tuple(start))?,
            b't' => self.unmark().map(|start| self.tuple(start))?,
            b']' => Value::List(self.container()),
            b'}' => Value::Dict(self.container()),
            // BINPERSID, REDUCE
            b'Q' => self.storage()?,
            b'R' => self.reduce()?,
            _ => return Err(TorchError::Opcode { opcode, position: self.input.position() - 1 }),
        };
        self.stack.push(value);
        Ok(None)
    }

    fn long(&mut self) -> Result<Value<'a>, TorchError> {
        match self.input.length(1)? {
            bytes @ 0..=8 => Ok(Value::Integer(self.input.signed(bytes)?)),
            _ => Err(self.input.malformed("it has an integer of more than 64 bits")),
        }
    }

    fn global(&mut self) -> Result<Value<'a>, TorchError> {
        let module = self.input.line()?;
        Global::named(module, self.input.line()?).map(Value::Global)
    }

    fn stack_global(&mut self) -> Result<Value<'a>, TorchError> {
        match (self.pop()?, self.pop()?) {
            (Value::Text(name), Value::Text(module)) => {
                Global::named(module, name).map(Value::Global)
            }
            _ => Err(self.input.malformed("it names a global by something else than texts")),
        }
    }

    fn pop(&mut self) -> Result<Value<'a>, TorchError> {
        self.stack.pop().ok_or_else(|| self.input.malformed("it takes from an empty stack"))
    }

    /// Where the topmost `count` values begin.
    fn below(&self, count: usize) -> Result<usize, TorchError> {
        let start = self.stack.len().checked_sub(count);
        start.ok_or_else(|| self.input.malformed("it takes from an empty stack"))
    }

    /// Takes the topmost mark away: where the values above it begin.
    fn unmark(&mut self) -> Result<usize, TorchError> {
        let mark = self.stack.iter().rposition(|value| matches!(value, Value::Mark));
        let mark = mark.ok_or_else(|| self.input.malformed("it has no mark"))?;
        self.stack.remove(mark);
        Ok(mark)
    }

    fn memorize(&mut self, opcode: u8) -> Result<Option<Value<'a>>, TorchError> {
        let key = match opcode {
            b'q' => self.input.length(1)?,
            b'r' => self.input.length(4)?,
            _ => self.memo.len(),
        };
        let value = self.pop()?;
        self.memo.insert(key, value);
        self.stack.push(value);
        Ok(None)
    }

    fn recall(&mut self, bytes: usize) -> Result<Value<'a>, TorchError> {
        let key = self.input.length(bytes)?;
        let value = self.memo.get(&key).copied();
        value.ok_or_else(|| self.input.malformed("it recalls what it never memorized"))
    }

    /// A tuple of what lies on the stack from `start` on.
    fn tuple(&mut self, start: usize) -> Value<'a> {
        let first = self.items.len();
        self.items.extend(self.stack.drain(start..));
        Value::Tuple(first, self.items.len())
    }

    fn items(&self, value: Value<'a>) -> Result<&[Value<'a>], TorchError> {
        match value {
            Value::Tuple(start, end) => Ok(&self.items[start..end]),
            _ => Err(self.input.malformed("it has something else where a tuple belongs")),
        }
    }

    /// The place of a new list or dict.
    fn container(&mut self) -> usize {
        self.contents.push(Vec::new());
        self.contents.len() - 1
    }

    /// Puts what lies on top into the list or dict below; the state that a dict is built with is no part of it.
    fn extend(&mut self, opcode: u8) -> Result<Option<Value<'a>>, TorchError> {
        let start = match opcode {
            b'e' | b'u' => self.unmark()?,
            b's' => self.below(2)?,
            _ => self.below(1)?,
        };
        let values = self.stack.split_off(start);
        match (opcode, self.stack.last(), values.len() % 2) {
            (b'b', Some(Value::Dict(_)), _) => Ok(None),
            (b'a' | b'e', Some(&Value::List(place)), _)
            | (b's' | b'u', Some(&Value::Dict(place)), 0) => {
                self.contents[place].extend(values);
                Ok(None)
            }
            _ => Err(self.input.malformed("it fills something that is no list or dict")),
        }
    }

    /// A storage from its persistent id: ("storage", class, key, device, count), and before torch 1.6 None or what part of
    /// another one it is.
    fn storage(&mut self) -> Result<Value<'a>, TorchError> {
        let id = self.pop()?;
        let [
            Value::Text("storage"),
            Value::Global(Global::Storage(element)),
            Value::Text(key),
            Value::Text(_),
            Value::Integer(values),
            ref part @ ..,
        ] = *self.items(id)?
        else {
            return Err(self.input.malformed("it has a persistent id that is no storage's"));
        };
        if !matches!(part, [] | [Value::None]) {
            return Err(self.input.malformed("it has a storage that is a part of another one"));
        }
        let values = self.size(values)?;
        self.storages.push(Storage { element, key, values });
        Ok(Value::Storage(self.storages.len() - 1))
    }

    /// What a call of a global with a tuple of arguments stands for.
    fn reduce(&mut self) -> Result<Value<'a>, TorchError> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        match (callable, self.items(arguments)?) {
            (Value::Global(Global::OrderedDict), []) => Ok(Value::Dict(self.container())),
            (Value::Global(Global::RebuildParameter), [tensor @ Value::Tensor(_), ..]) => {
                Ok(*tensor)
            }
            (
                Value::Global(Global::RebuildTensor),
                &[Value::Storage(storage), Value::Integer(offset), shape, strides, ..],
            ) => {
                let storage = self.storages[storage];
                let offset = self.size(offset)?;
                let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
                self.tensors.push(View { storage, offset, shape, strides });
                Ok(Value::Tensor(self.tensors.len() - 1))
            }
            _ => Err(self.input.malformed("it has a call that no state dict needs")),
        }
    }

    fn sizes(&self, tuple: Value<'a>) -> Result<Vec<usize>, TorchError> {
        let items = self.items(tuple)?;
        if items.len() > AXES_MAX {
            return Err(self.input.malformed("it has a tensor of too many axes"));
        }
        let sizes = items.iter().map(|value| match *value {
            Value::Integer(number) => self.size(number),
            _ => Err(self.input.malformed("it has a size that is no number")),
        });
        sizes.collect()
    }

    fn size(&self, number: i64) -> Result<usize, TorchError> {
        usize::try_from(number).map_err(|_| self.input.malformed("it has a negative size"))
    }
}
