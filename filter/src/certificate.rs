//! The names in the certificate of the peer.
//!
//! Envoy tells the first URI of a certificate only, and a certificate may have several: so they are read from the
//! certificate itself. Nothing is verified here. Whether the certificate proves anything is for Envoy to know.

mod der;
mod pem;

use der::{
    BIT_STRING, BOOLEAN, CONTEXT, CONTEXT_CONSTRUCTED, Elements, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE,
};

/// A certificate that cannot be read, or that could be read in two ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BadCertificate;

/// The URIs among the subject alternative names of a certificate, in their order, each as often as it is there.
///
/// Takes one certificate as PEM, and ignores what comes behind it. The work is linear in the length, and no input
/// makes it recurse. A certificate without such names has no URIs; one with two lists of names is bad.
pub(crate) fn uri_sans(pem: &[u8]) -> Result<Vec<Vec<u8>>, BadCertificate> {
    let der = pem::certificate(pem).ok_or(BadCertificate)?;
    uris(&der).ok_or(BadCertificate)
}

fn uris(der: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut whole = Elements(der);
    let mut certificate = Elements(whole.expect(SEQUENCE)?);
    whole.end()?;
    let to_be_signed = certificate.expect(SEQUENCE)?;
    let _algorithm = certificate.expect(SEQUENCE)?;
    let _signature = certificate.expect(BIT_STRING)?;
    certificate.end()?;
    match extensions(to_be_signed)? {
        Some(extensions) => uris_of_extensions(extensions),
        None => Some(Vec::new()),
    }
}

/// What is signed, field by field (RFC 5280, section 4.1). The inner `None` is for one without extensions.
fn extensions(to_be_signed: &[u8]) -> Option<Option<&[u8]>> {
    let mut fields = Elements(to_be_signed);
    let _version = fields.optional(CONTEXT_CONSTRUCTED)?;
    let _serial_number = fields.expect(INTEGER)?;
    let _signature = fields.expect(SEQUENCE)?;
    let _issuer = fields.expect(SEQUENCE)?;
    let _validity = fields.expect(SEQUENCE)?;
    let _subject = fields.expect(SEQUENCE)?;
    let _public_key = fields.expect(SEQUENCE)?;
    let _issuer_id = fields.optional(CONTEXT | 1)?;
    let _subject_id = fields.optional(CONTEXT | 2)?;
    let extensions = fields.optional(CONTEXT_CONSTRUCTED | 3)?;
    fields.end()?;
    Some(extensions)
}

fn uris_of_extensions(extensions: &[u8]) -> Option<Vec<Vec<u8>>> {
    /// 2.5.29.17
    const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];

    let mut explicit = Elements(extensions);
    let mut extensions = Elements(explicit.expect(SEQUENCE)?);
    explicit.end()?;
    let mut uris = None;
    while !extensions.is_empty() {
        let mut extension = Elements(extensions.expect(SEQUENCE)?);
        let id = extension.expect(OBJECT_IDENTIFIER)?;
        let _critical = extension.optional(BOOLEAN)?;
        let value = extension.expect(OCTET_STRING)?;
        extension.end()?;
        if id == SUBJECT_ALTERNATIVE_NAME && uris.replace(uris_of_names(value)?).is_some() {
            return None;
        }
    }
    Some(uris.unwrap_or_default())
}

fn uris_of_names(value: &[u8]) -> Option<Vec<Vec<u8>>> {
    /// `uniformResourceIdentifier`, an implicit IA5String: its constructed form is none of DER.
    const URI: u8 = CONTEXT | 6;
    const CONSTRUCTED_URI: u8 = CONTEXT_CONSTRUCTED | 6;

    let mut value = Elements(value);
    let mut names = Elements(value.expect(SEQUENCE)?);
    value.end()?;
    let mut uris = Vec::new();
    while !names.is_empty() {
        match names.next()? {
            (URI, uri) if uri.is_ascii() => uris.push(uri.to_vec()),
            (URI | CONSTRUCTED_URI, _) => return None,
            _ => {}
        }
    }
    Some(uris)
}

#[cfg(test)]
mod tests;
