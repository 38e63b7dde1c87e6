//! `resolve`: compressed sections, zlib and Zstandard. Reads bytes, nothing else; what a section claims of itself is not believed.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags as zlib};
use object::CompressionFormat;
use ruzstd::decoding::FrameDecoder;

use super::object::ObjectError;

/// zlib cannot make more than 1,032 bytes of one, and no compiler's output comes near that with Zstandard either.
const RATIO: u64 = 1032;
/// For sections so small that their headers count.
const SLACK: u64 = 4096;
/// More than any one section has: DWARF's usual offsets do not reach further. In bytes.
const MOST: u64 = 4 << 30;

/// The bytes of a section that is stored like this and claims to be of this size. Kept for as long as the process lives, which
/// is as long as the file itself stays mapped.
pub(super) fn inflate(
    stored: &[u8],
    format: CompressionFormat,
    size: u64,
) -> Result<&'static [u8], ObjectError> {
    let likely = (stored.len() as u64)
        .saturating_mul(RATIO)
        .saturating_add(SLACK);
    let length = usize::try_from(size).map_err(|_| ObjectError::Inflated(size))?;
    if size > likely.min(MOST) {
        return Err(ObjectError::Inflated(size));
    }
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(length)
        .map_err(|_| ObjectError::Room(size))?;
    bytes.resize(length, 0);
    let written = match format {
        CompressionFormat::Zlib => by_zlib(stored, &mut bytes),
        CompressionFormat::Zstandard => FrameDecoder::new().decode_all(stored, &mut bytes).ok(),
        _ => return Err(ObjectError::Codec),
    };
    match written == Some(length) {
        true => Ok(bytes.leak()),
        false => Err(ObjectError::Garbled),
    }
}

fn by_zlib(stored: &[u8], bytes: &mut [u8]) -> Option<usize> {
    let flags = zlib::TINFL_FLAG_PARSE_ZLIB_HEADER | zlib::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut state = Box::<DecompressorOxide>::default();
    let (status, _, written) = decompress(&mut state, stored, bytes, 0, flags);
    (status == TINFLStatus::Done).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compressed_comes_back() {
        let text = "debug".repeat(40);
        let whole = inflate(&compressed(&text), CompressionFormat::Zlib, 200).unwrap();
        assert_eq!(whole, text.as_bytes());
        let zstd = ruzstd::encoding::compress_to_vec(
            text.as_bytes(),
            ruzstd::encoding::CompressionLevel::Fastest,
        );
        let whole = inflate(&zstd, CompressionFormat::Zstandard, 200).unwrap();
        assert_eq!(whole, text.as_bytes());
    }

    fn compressed(text: &str) -> Vec<u8> {
        miniz_oxide::deflate::compress_to_vec_zlib(text.as_bytes(), 6)
    }

    #[test]
    fn a_false_claim_is_refused_before_any_room_is_taken() {
        for claimed in [1 << 60, u64::MAX, MOST + 1] {
            let refused = inflate(&compressed("debug"), CompressionFormat::Zlib, claimed);
            assert!(matches!(refused, Err(ObjectError::Inflated(size)) if size == claimed));
        }
    }

    #[test]
    fn a_bomb_bursts_into_no_more_than_it_claims() {
        let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&[0; 1 << 20], 9);
        let refused = inflate(&bomb, CompressionFormat::Zlib, 1000);
        assert!(matches!(refused, Err(ObjectError::Garbled)));
        let zstd = ruzstd::encoding::compress_to_vec(
            &[0u8; 1 << 20][..],
            ruzstd::encoding::CompressionLevel::Fastest,
        );
        let refused = inflate(&zstd, CompressionFormat::Zstandard, 1000);
        assert!(matches!(refused, Err(ObjectError::Garbled)));
    }

    #[test]
    fn what_is_cut_off_or_garbled_is_refused() {
        let whole = compressed("some text that is long enough");
        for end in 0..whole.len() {
            let cut = inflate(&whole[..end], CompressionFormat::Zlib, 29);
            assert!(matches!(cut, Err(ObjectError::Garbled)), "{end}");
        }
        let mut other = whole.clone();
        *other.last_mut().unwrap() ^= 1;
        assert!(inflate(&other, CompressionFormat::Zlib, 29).is_err());
        assert!(inflate(&whole, CompressionFormat::Zstandard, 29).is_err());
        assert!(matches!(
            inflate(&whole, CompressionFormat::Unknown, 29),
            Err(ObjectError::Codec)
        ));
    }
}
