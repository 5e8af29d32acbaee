//! What the document of the admin API says of values whose types are not of this crate.

use utoipa::ToSchema;

/// Whose sign-in it is, as the provider tells. What is not told is empty.
#[derive(Debug, ToSchema)]
#[schema(as = Identity)]
#[expect(dead_code, reason = "the document is made of it")]
pub struct IdentityDoc {
    /// The e-mail address of the sign-in.
    email: String,
    /// The organisation.
    organisation: String,
    /// The plan, in the provider's own word.
    plan: String,
    /// The tier of its limits.
    tier: String,
    /// The provider's own id of the account.
    account: String,
    /// The Google Cloud project of the sign-in.
    project: String,
}

/// Where an account is signed in to, where that is not the provider's own place.
#[derive(Debug, ToSchema)]
#[schema(as = OauthSettings)]
#[expect(dead_code, reason = "the document is made of it")]
pub struct OauthDoc {
    /// The page on which a person agrees.
    authorize_url: Option<String>,
    /// Where codes and refresh tokens are exchanged.
    token_url: Option<String>,
    /// Who asks.
    client_id: Option<String>,
    /// Where the page sends its code.
    redirect_url: Option<String>,
    /// What is asked for, separated by spaces.
    scope: Option<String>,
}

/// A model that is sent upstream under another name.
#[derive(Debug, ToSchema)]
#[schema(as = ModelMapping)]
#[expect(dead_code, reason = "the document is made of it")]
pub struct MappingDoc {
    /// The name or pattern that clients ask for.
    from: String,
    /// The name that the upstream knows.
    to: String,
}

/// What is done to one field of a body. Names of its path have dots between them.
#[derive(Debug, ToSchema)]
#[schema(as = PayloadRule, rename_all = "snake_case")]
pub enum PayloadDoc {
    /// It gets a value, whether or not it was there.
    Set {
        /// Which field.
        path: String,
        /// The value, as JSON.
        json: String,
    },
    /// It is taken away.
    Drop {
        /// Which field.
        path: String,
    },
}
