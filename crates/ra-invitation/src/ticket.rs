//! LHTICKET: a connection string 2 under a password.

use std::fmt;

use remassist_core::{Secret, Text};

/// Why there is no ticket to be had. Holds nothing of the ticket.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketError {
    /// The invitation has no LHTICKET.
    Absent,
    /// LHTICKET is not an even number of hexadecimal digits.
    NotHexadecimal,
    /// The bytes are not whole blocks of 16, or none.
    NotBlocks,
    /// The password is wrong, or the bytes are damaged: nothing in a ticket tells one from the other.
    WrongPassword,
}

impl fmt::Display for TicketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "the invitation has no LHTICKET",
            Self::NotHexadecimal => "LHTICKET is not an even number of hexadecimal digits",
            Self::NotBlocks => "LHTICKET is not made of whole blocks of 16 bytes",
            Self::WrongPassword => "the password is wrong, or LHTICKET is damaged",
        })
    }
}

impl std::error::Error for TicketError {}

/// What an LHTICKET says: the text of a connection string 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket(pub(crate) Secret<Text<'static>>);

impl Ticket {
    /// The connection string, without byte order mark, line end and NUL around it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose().trim_start_matches('\u{FEFF}').trim_matches([' ', '\t', '\r', '\n', '\0'])
    }

    /// All of the text as it was encrypted. Windows ends it with CRLF.
    #[must_use]
    pub fn expose_untrimmed(&self) -> &str {
        self.0.expose()
    }
}

#[cfg(feature = "crypto")]
pub(crate) use cipher::decrypt;
#[cfg(feature = "crypto")]
pub use cipher::{decrypt_ticket, encrypt_ticket};

#[cfg(feature = "crypto")]
mod cipher {
    use aes::Aes128;
    use cbc::cipher::block_padding::Pkcs7;
    use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
    use remassist_core::{Blob, Secret, crypto, utf16};
    use zeroize::Zeroizing;

    use super::{Ticket, TicketError};

    const BLOCK: usize = 16;

    /// The AES key of a password: CryptDeriveKey over SHA-1 of its UTF-16LE form without NUL.
    fn key(password: &str) -> Zeroizing<[u8; BLOCK]> {
        let hash = Zeroizing::new(crypto::sha1(&crypto::secret_utf16(password)));
        crypto::crypt_derive_key_128(&hash)
    }

    /// Encrypts the text of a connection string 2 as LHTICKET wants it ([MS-RAI] 6 note <20>): AES-128-CBC over its
    /// UTF-16LE form, zero IV, PKCS #7 padding.
    ///
    /// The key is made of the password without salt and without any cost, and nothing protects the ticket from being
    /// changed: a short password can be guessed from the file.
    #[must_use]
    pub fn encrypt_ticket(password: &str, connection_string: &str) -> Vec<u8> {
        let len = utf16::encoded_len(connection_string);
        // One block of room for the padding; the plain text is overwritten in place.
        let mut buffer = Zeroizing::new(Vec::with_capacity(len.saturating_add(BLOCK)));
        utf16::encode_into(connection_string, &mut buffer);
        let padded = len.saturating_sub(len.checked_rem(BLOCK).unwrap_or_default()).saturating_add(BLOCK);
        buffer.resize(padded, 0);
        let cipher = cbc::Encryptor::<Aes128>::new((&*key(password)).into(), &[0; BLOCK].into());
        cipher.encrypt_padded::<Pkcs7>(&mut buffer, len).map(<[u8]>::to_vec).unwrap_or_default()
    }

    /// Decrypts the bytes of an LHTICKET; whether the text is a connection string is not looked at.
    ///
    /// # Errors
    /// [`TicketError::NotBlocks`]; [`TicketError::WrongPassword`] when the padding is wrong or the text is not UTF-16LE.
    /// One wrong password in 256 gets past the padding.
    pub fn decrypt_ticket(password: &str, ticket: &[u8]) -> Result<Ticket, TicketError> {
        decrypt(password, ticket.to_vec())
    }

    /// [`decrypt_ticket`] in place; the bytes are wiped.
    pub(crate) fn decrypt(password: &str, ticket: Vec<u8>) -> Result<Ticket, TicketError> {
        if ticket.is_empty() || !ticket.len().is_multiple_of(BLOCK) {
            return Err(TicketError::NotBlocks);
        }
        let mut buffer = Zeroizing::new(Blob::from(ticket));
        let cipher = cbc::Decryptor::<Aes128>::new((&*key(password)).into(), &[0; BLOCK].into());
        let plain =
            cipher.decrypt_padded::<Pkcs7>(buffer.0.to_mut()).map_err(|_| TicketError::WrongPassword)?;
        let text = utf16::decode(plain).map_err(|_| TicketError::WrongPassword)?;
        Ok(Ticket(Secret::new(text.into())))
    }
}
