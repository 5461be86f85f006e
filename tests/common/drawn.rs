//! Reads drawings back: words, shapes, and pixels of the pictures inside.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use roxmltree::{Document, Node};

/// The words of a drawing, in order.
pub(crate) fn words(svg: &Document<'_>) -> Vec<String> {
    let texts = svg.descendants().filter(|node| node.has_tag_name("text"));
    texts.map(|node| node.text().unwrap_or_default().trim().to_owned()).collect()
}

/// The elements of this name and colour.
pub(crate) fn shapes<'a>(svg: &'a Document<'_>, name: &'a str, color: &'a str) -> Vec<Node<'a, 'a>> {
    let of = move |node: &Node<'_, '_>| {
        node.tag_name().name() == name && [node.attribute("fill"), node.attribute("stroke")].contains(&Some(color))
    };
    svg.descendants().filter(of).collect()
}

/// An attribute that is a number.
pub(crate) fn number(node: &Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).unwrap().parse().unwrap()
}

/// The pictures inside: width and RGB pixels of each.
pub(crate) fn pictures(svg: &Document<'_>) -> Vec<(usize, Vec<[u8; 3]>)> {
    let images = svg.descendants().filter(|node| node.has_tag_name("image"));
    images.map(|image| decoded(image.attribute("href").unwrap())).collect()
}

fn decoded(address: &str) -> (usize, Vec<[u8; 3]>) {
    let file = BASE64_STANDARD.decode(address.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    (info.width as usize, pixels.as_chunks().0.to_vec())
}
