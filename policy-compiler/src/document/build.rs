//! YAML events to a tree.

mod chunks;
mod merge;
mod problem;

use std::{collections::HashMap, sync::Arc};

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::{Entry, Node, Value, scalar};
use crate::{
    diagnostic::Diagnostic,
    source::{Source, Span},
};
use chunks::Chunk;
use merge::{key_text, merge, mergeable};
use problem::Problem;

/// How deep values may nest.
const MAX_DEPTH: usize = 100;
/// How many values all aliases of one document may stand for. What is written out is bounded by the text itself.
const MAX_ALIASED: usize = 100_000;

/// Reads every document of a YAML stream; JSON is YAML. Empty documents are left out.
///
/// A document with a syntax error is left out and reported; the documents after it are still read. Duplicate keys
/// stay in the tree, merge keys (`<<`) and aliases are expanded.
pub fn parse(source: &Arc<Source>) -> (Vec<Node>, Vec<Diagnostic>) {
    let (mut documents, mut errors) = (Vec::new(), Vec::new());
    for chunk in chunks::split(source.text()) {
        match read(&chunk) {
            Ok(nodes) => documents.extend(nodes),
            Err(problem) => errors.push(problem.diagnostic(source)),
        }
    }
    (documents, errors)
}

fn read(chunk: &Chunk<'_>) -> Result<Vec<Node>, Problem> {
    let mut builder = Builder {
        chunk,
        frames: Vec::new(),
        anchors: HashMap::new(),
        aliased: 0,
        documents: Vec::new(),
    };
    for event in Parser::new_from_str(chunk.text) {
        let (event, span) = event.map_err(|error| Problem::scan(chunk, &error))?;
        builder.event(event, chunk.span(span))?;
    }
    Ok(builder.documents)
}

/// A list or map that is not finished.
struct Frame {
    anchor: usize,
    span: Span,
    /// How deep its content nests below it, counting aliases.
    height: usize,
    content: Content,
}

enum Content {
    Seq(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        merged: Vec<Node>,
        key: Option<Key>,
    },
}

enum Key {
    Name(String, Span),
    /// `<<`: the entries of the value are entries of this map.
    Merge(Span),
}

struct Anchor {
    node: Node,
    size: usize,
    height: usize,
}

struct Builder<'c> {
    chunk: &'c Chunk<'c>,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Anchor>,
    aliased: usize,
    documents: Vec<Node>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.anchors.clear();
                self.aliased = 0;
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), span),
            Event::SequenceStart(anchor, tag) => self.open(anchor, tag.as_deref(), span, Content::Seq(Vec::new())),
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map {
                    entries: Vec::new(),
                    merged: Vec::new(),
                    key: None,
                };
                self.open(anchor, tag.as_deref(), span, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Problem> {
        let Some(target) = self.anchors.get(&anchor) else {
            return Err(Problem::new(span, "this alias stands inside the value it refers to"));
        };
        self.aliased += target.size;
        if self.aliased > MAX_ALIASED {
            return Err(Problem::new(
                span,
                format!("the aliases of this document stand for more than {MAX_ALIASED} values"),
            ));
        }
        let (node, height) = (target.node.clone(), target.height);
        self.check_depth(height, span)?;
        self.add(node, height, span)
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Problem> {
        let plain = style == ScalarStyle::Plain;
        let value = match tag {
            None if plain => scalar::resolve(text),
            None => Value::Str(text.to_owned()),
            Some(tag) if is_text(tag) => Value::Str(text.to_owned()),
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix != "binary" => scalar::resolve(text),
            Some(tag) => {
                return Err(Problem::new(
                    span,
                    format!("the tag `{tag}` means nothing to Kubernetes"),
                ));
            }
        };
        if plain && tag.is_none() && text == "<<" && self.expects_key() {
            return self.set_key(Key::Merge(span));
        }
        let node = Node {
            value,
            span: Some(span),
        };
        self.remember(anchor, &node, 1, 0);
        self.add(node, 0, span)
    }

    fn open(&mut self, anchor: usize, tag: Option<&Tag>, span: Span, content: Content) -> Result<(), Problem> {
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            return Err(Problem::new(
                span,
                format!("the tag `{tag}` means nothing to Kubernetes"),
            ));
        }
        if self.expects_key() {
            return Err(Problem::new(span, "a key must be a scalar"));
        }
        self.check_depth(1, span)?;
        self.frames.push(Frame {
            anchor,
            span,
            height: 0,
            content,
        });
        Ok(())
    }

    fn close(&mut self, end: Span) -> Result<(), Problem> {
        // The parser never closes what it did not open.
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let value = match frame.content {
            Content::Seq(items) => Value::Seq(items),
            Content::Map {
                entries,
                merged,
                key: _,
            } => Value::Map(merge(entries, merged)),
        };
        let span = Span {
            start: frame.span.start,
            end: self.chunk.trim_end(frame.span.start, end.end),
        };
        let node = Node {
            value,
            span: Some(span),
        };
        let height = frame.height + 1;
        if frame.anchor != 0 {
            self.remember(frame.anchor, &node, size(&node), height);
        }
        self.add(node, height, span)
    }

    fn remember(&mut self, anchor: usize, node: &Node, size: usize, height: usize) {
        if anchor != 0 {
            self.anchors.insert(
                anchor,
                Anchor {
                    node: node.clone(),
                    size,
                    height,
                },
            );
        }
    }

    fn check_depth(&self, more: usize, span: Span) -> Result<(), Problem> {
        if self.frames.len() + more > MAX_DEPTH {
            return Err(Problem::new(span, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    fn expects_key(&self) -> bool {
        matches!(
            self.frames.last(),
            Some(Frame {
                content: Content::Map { key: None, .. },
                ..
            })
        )
    }

    fn set_key(&mut self, new: Key) -> Result<(), Problem> {
        if let Some(Frame {
            content: Content::Map { key, .. },
            ..
        }) = self.frames.last_mut()
        {
            *key = Some(new);
        }
        Ok(())
    }

    /// Adds a finished value where it belongs. `at` is where it was written: for an alias, the alias.
    fn add(&mut self, node: Node, height: usize, at: Span) -> Result<(), Problem> {
        if self.expects_key() {
            let name = key_text(&node).ok_or_else(|| Problem::new(at, "a key must be a scalar"))?;
            return self.set_key(Key::Name(name, at));
        }
        let Some(frame) = self.frames.last_mut() else {
            if node.value != Value::Null {
                self.documents.push(node);
            }
            return Ok(());
        };
        frame.height = frame.height.max(height);
        match &mut frame.content {
            Content::Seq(items) => items.push(node),
            Content::Map { entries, merged, key } => match key.take() {
                Some(Key::Name(key, key_span)) => entries.push(Entry {
                    key,
                    key_span: Some(key_span),
                    value: node,
                }),
                Some(Key::Merge(span)) => merged.push(mergeable(node, span)?),
                None => return Err(Problem::new(at, "a value without a key")),
            },
        }
        Ok(())
    }
}

/// Whether the tag says that the scalar is text: `!!str` or `!`.
fn is_text(tag: &Tag) -> bool {
    (tag.is_yaml_core_schema() && tag.suffix == "str") || (tag.handle.is_empty() && tag.suffix == "!")
}

/// How many values a tree holds.
fn size(node: &Node) -> usize {
    match &node.value {
        Value::Seq(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|entry| size(&entry.value)).sum::<usize>(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
