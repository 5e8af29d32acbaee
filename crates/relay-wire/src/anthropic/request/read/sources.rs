//! Reads pictures and files.

use relay_core::protocol::Protocol;
use serde_json::Value;

use super::{all_taken, cache_mark};
use crate::hub::{
    Block, DecodeError, Document, Fields, Image, Losses, Malformed, Source, Unsupported,
};

pub(super) fn image(fields: &mut Fields) -> Result<Block, DecodeError> {
    // How Anthropic scales it.
    if fields.take("transformations").is_some() {
        let why = "other providers scale pictures in their own ways";
        return Err(Unsupported::new(fields.path_of("transformations"), why).into());
    }
    Ok(Block::Image(Image { source: source(fields)?, detail: None }))
}

/// A file, behind what the client says about it.
pub(super) fn document(fields: &mut Fields, blocks: &mut Vec<Block>) -> Result<(), DecodeError> {
    let source = source(fields)?;
    blocks.extend(fields.text("context")?.map(Block::text));
    let name = fields.text("title")?;
    let cited = cited(fields)?;
    blocks.push(Block::Document(Document { source, name, cited }));
    Ok(())
}

/// A result of the client's own search: a document of its text.
pub(super) fn search_result(fields: &mut Fields) -> Result<Block, DecodeError> {
    let address = fields.need_text("source")?;
    let path = fields.path_of("content");
    let content = fields.take("content").unwrap_or_default();
    let text = format!("{address}\n\n{}", plain(content, &path)?);
    let (name, cited) = (fields.text("title")?, cited(fields)?);
    Ok(Block::Document(Document { source: Source::Text(text), name, cited }))
}

fn cited(fields: &mut Fields) -> Result<bool, DecodeError> {
    let Some(mut citations) = fields.object("citations")? else { return Ok(false) };
    let cited = citations.flag("enabled")?.unwrap_or_default();
    all_taken(&citations)?;
    Ok(cited)
}

fn source(fields: &mut Fields) -> Result<Source, DecodeError> {
    let Some(mut source) = fields.object("source")? else {
        return Err(fields.wrong("source", "is missing").into());
    };
    let kind = source.need_text("type")?;
    let read = match kind.as_str() {
        "base64" => {
            Source::Data { media_type: media_type(&mut source)?, base64: source.need_text("data")? }
        }
        "url" => Source::Url(source.need_text("url")?),
        "file" => Source::Stored { by: Protocol::Messages, id: source.need_text("file_id")? },
        "text" => {
            // It is always text/plain.
            source.text("media_type")?;
            Source::Text(source.need_text("data")?)
        }
        "content" => {
            let path = source.path_of("content");
            Source::Text(plain(source.take("content").unwrap_or_default(), &path)?)
        }
        _ => {
            let why = "the relay knows base64, url, file, text and content";
            return Err(Unsupported::new(source.path_of("type"), why).into());
        }
    };
    all_taken(&source)?;
    Ok(read)
}

/// The type of a file's data. It stands before a comma where others have it.
fn media_type(source: &mut Fields) -> Result<String, Malformed> {
    let media_type = source.need_text("media_type")?;
    if media_type.is_empty() || media_type.contains(',') {
        return Err(source.wrong("media_type", "has to be a type such as `image/png`"));
    }
    Ok(media_type)
}

/// The text of a string or of a list of text blocks.
fn plain(content: Value, path: &str) -> Result<String, DecodeError> {
    let list = match content {
        Value::String(text) => return Ok(text),
        Value::Array(list) => list,
        _ => {
            let what = "has to be a string or a list of blocks".to_owned();
            return Err(Malformed { path: path.to_owned(), what }.into());
        }
    };
    let mut texts = Vec::with_capacity(list.len());
    for (number, block) in list.into_iter().enumerate() {
        let mut block = Fields::of(block, format!("{path}[{number}]"))?;
        if block.need_text("type")? != "text" {
            let why = "documents of other providers hold text alone";
            return Err(Unsupported::new(block.path_of("type"), why).into());
        }
        // Its mark is for the document, whose own is noted.
        cache_mark(&mut block, &mut Losses::new());
        texts.push(block.need_text("text")?);
        all_taken(&block)?;
    }
    Ok(texts.join("\n\n"))
}
