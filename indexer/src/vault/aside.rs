//! What was found to be wrong is set aside, for people to look at: it counts no more.

use std::sync::Arc;

use object_store::{ObjectStore, ObjectStoreExt};

use super::{Form, Unproved, Vault, VaultError, names::Name};
use crate::{content::ContentId, crash, nodes::Known};

impl Vault {
    /// Takes out what was set aside of a content.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn clear_aside(&self, id: &ContentId) -> Result<(), VaultError> {
        let Some(store) = self.place.existing()? else { return Ok(()) };
        for form in Form::ALL {
            self.delete(store, &Name::of(id, *form).aside()).await?;
        }
        Ok(())
    }

    /// Sets aside what is wrong, for people to look at: it counts no more. Gives whether it was: where
    /// somebody put what is right in its place meanwhile, that stays.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn set_aside(
        &self,
        id: &ContentId,
        form: Form,
        known: Known,
    ) -> Result<bool, VaultError> {
        let Some(store) = self.place.existing()? else { return Ok(true) };
        let name = Name::of(id, form);
        match store.rename(&name.path(), &name.aside()).await {
            Ok(()) => {}
            Err(object_store::Error::NotFound { .. }) => return Ok(true),
            Err(error) => return Err(self.failed(&error)),
        }
        crash::point("vault.set-aside");
        match self.prove_at(&name.aside(), id, form, known, &mut |_| {}).await {
            Err(Unproved::Missing | Unproved::Wrong(_)) => Ok(true),
            Err(Unproved::Failed(error)) => Err(error),
            Ok(_) => self.put_back(store, &name).await.map(|()| false),
        }
    }

    /// Gives what was set aside, and is right, its name again, unless there is another by now.
    async fn put_back(&self, store: &Arc<dyn ObjectStore>, name: &Name) -> Result<(), VaultError> {
        match store.head(&name.path()).await {
            Err(object_store::Error::NotFound { .. }) => {
                let back = store.rename(&name.aside(), &name.path()).await;
                back.map_err(|error| self.failed(&error))
            }
            Err(error) => Err(self.failed(&error)),
            Ok(_) => self.delete(store, &name.aside()).await,
        }
    }
}
